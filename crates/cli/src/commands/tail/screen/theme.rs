//! Colours, where there may be any; without them, weight and inversion tell the same.

use ratatui::style::{Color, Modifier, Style};

/// What a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    /// Beside the point.
    Faint,
    /// A heading, a key.
    Strong,
    Good,
    Warn,
    Bad,
}

/// How texts look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Theme {
    pub(super) has_color: bool,
}

impl Theme {
    pub(super) fn style(self, tone: Tone) -> Style {
        let plain = Style::new();
        let colored = |color: Color| {
            if self.has_color {
                plain.fg(color)
            } else {
                plain
            }
        };
        match tone {
            Tone::Plain => plain,
            // Not grey, which some palettes have as their background.
            Tone::Faint => plain.add_modifier(Modifier::DIM),
            Tone::Strong => plain.add_modifier(Modifier::BOLD),
            Tone::Good => colored(Color::Green),
            Tone::Warn => colored(Color::Yellow).add_modifier(Modifier::BOLD),
            Tone::Bad => colored(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    /// A word that is to be seen first.
    pub(super) fn badge(self, tone: Tone) -> Style {
        self.style(tone)
            .add_modifier(Modifier::BOLD | Modifier::REVERSED)
    }

    pub(super) fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}

/// How a minute's state looks, by the word of `minutes`: as in a report.
pub(super) fn state(state: Option<&str>) -> (&'static str, Tone) {
    match state {
        Some("UP") => ("█", Tone::Good),
        Some("DEGRADED") => ("▄", Tone::Warn),
        Some("DOWN") => ("✘", Tone::Bad),
        Some("SUSPECT") => ("?", Tone::Warn),
        Some("IDLE") => ("·", Tone::Faint),
        Some("UNCOVERED") => ("░", Tone::Faint),
        Some("MAINT") => ("m", Tone::Faint),
        _ => (" ", Tone::Plain),
    }
}
