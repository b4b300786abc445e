//! The blocks of a configuration and what they inherit.

use super::{LogParameters, Origin};

/// Where a directive stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    /// In none: in a file that others include this may be any of the others.
    Main,
    Http,
    Server,
    Location,
    /// `if` and `limit_except`, which go on with what their location does.
    Nameless,
}

impl Block {
    /// The block that a directive of this name opens here; `None` for one without log directives, or not of `http`.
    pub(super) fn inner(self, name: &str) -> Option<Self> {
        match (self, name) {
            (Self::Main, "http") => Some(Self::Http),
            (Self::Main | Self::Http, "server") => Some(Self::Server),
            (Self::Main | Self::Server | Self::Location, "location") => Some(Self::Location),
            (Self::Main | Self::Server | Self::Location, "if" | "limit_except") => {
                Some(Self::Nameless)
            }
            _ => None,
        }
    }
}

/// One block, and the directives in it that blocks within it inherit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) block: Block,
    /// Its first words, fit for a message.
    pub(super) head: String,
    /// The index of the server that it belongs to.
    pub(super) server: Option<usize>,
    pub(super) logs: Vec<Directive>,
    /// An `access_log off`, before which any other `access_log` of the block gives way.
    pub(super) off: Option<Origin>,
    pub(super) trusted: Vec<String>,
    pub(super) real_ip_header: Option<String>,
    /// Whether it passes requests on; locations within it do not inherit that.
    pub(super) is_proxied: bool,
    parent: usize,
    /// The blocks whose directives hold here: this one or one around it.
    logs_from: usize,
    trusted_from: usize,
    header_from: usize,
}

/// One `access_log`, but `access_log off`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) path: String,
    pub(super) format_name: String,
    /// The index of the format; `None` if there is none of this name so far.
    pub(super) format: Option<usize>,
    pub(super) parameters: LogParameters,
    pub(super) origin: Origin,
}

/// All blocks, each after the one around it; the first is the main one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scopes(Vec<Scope>);

impl Scopes {
    /// Adds a block within the one at index `parent`, and gives its index.
    pub(super) fn add(&mut self, block: Block, head: String, parent: usize) -> usize {
        let index = self.0.len();
        self.0.push(Scope {
            block,
            head,
            server: self.0.get(parent).and_then(|parent| parent.server),
            logs: Vec::new(),
            off: None,
            trusted: Vec::new(),
            real_ip_header: None,
            is_proxied: false,
            parent,
            logs_from: index,
            trusted_from: index,
            header_from: index,
        });
        index
    }

    /// Settles what is inherited, once all is read: what stands at the end of a block holds for the blocks before it too.
    pub(super) fn inherit(&mut self) {
        for index in 1..self.0.len() {
            let parent = self.0[index].parent;
            let (outer, inner) = self.0.split_at_mut(index);
            let (parent, scope) = (&outer[parent], &mut inner[0]);
            if scope.logs.is_empty() && scope.off.is_none() {
                scope.logs_from = parent.logs_from;
            }
            if scope.trusted.is_empty() {
                scope.trusted_from = parent.trusted_from;
            }
            if scope.real_ip_header.is_none() {
                scope.header_from = parent.header_from;
            }
            scope.is_proxied |= scope.block == Block::Nameless && parent.is_proxied;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    pub(super) fn get(&self, index: usize) -> &Scope {
        &self.0[index]
    }

    pub(super) fn get_mut(&mut self, index: usize) -> &mut Scope {
        &mut self.0[index]
    }

    /// The block whose `access_log` holds in the block at `index`.
    pub(super) fn logs_of(&self, index: usize) -> &Scope {
        &self.0[self.0[index].logs_from]
    }

    pub(super) fn trusted_in(&self, index: usize) -> &[String] {
        &self.0[self.0[index].trusted_from].trusted
    }

    pub(super) fn real_ip_header_in(&self, index: usize) -> Option<&str> {
        self.0[self.0[index].header_from].real_ip_header.as_deref()
    }
}
