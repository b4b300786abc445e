//! "Did you mean": the known name nearest to a misspelt one.

/// More edits than this and two names are not meant for each other.
const EDITS_MAX: usize = 3;

/// The name of `known` nearest to `wrong`, if any is near.
pub(crate) fn nearest<'k>(wrong: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
    known
        .map(|name| {
            (
                strsim::damerau_levenshtein(&wrong.to_ascii_lowercase(), name),
                name,
            )
        })
        .filter(|&(edits, name)| edits <= EDITS_MAX && edits < name.len())
        .min()
        .map(|(_, name)| name.to_owned())
}

/// `; did you mean …?`, or nothing.
pub(crate) fn did_you_mean(near: Option<&String>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}
