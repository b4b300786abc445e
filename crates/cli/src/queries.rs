//! Named queries: those that ship with Floodmark, and a team's own.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use floodmark_query::{Error, NamedQuery, named_queries, named_query};

use crate::plan::Plan;

/// All queries that can be asked by name.
#[derive(Debug)]
pub(crate) struct Queries {
    own: Vec<NamedQuery>,
}

impl Queries {
    /// Reads the files of the folder `queries` of the configuration, if there is such a folder, and of the folder named on the command line.
    ///
    /// # Errors
    ///
    /// A file cannot be read or has no proper header, or two queries have one name.
    pub(crate) fn read(plan: &Plan) -> Result<Self> {
        let mut own = Vec::new();
        let usual = plan.config.join("queries");
        match files_of(&usual) {
            Ok(files) => add(&mut own, &files)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(error, &usual)),
        }
        if let Some(folder) = &plan.queries {
            let files = files_of(folder).map_err(|error| unreadable(error, folder))?;
            add(&mut own, &files)?;
        }
        own.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { own })
    }

    /// Those that ship with Floodmark in the order of a report, then a team's own.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &NamedQuery> {
        named_queries().iter().chain(&self.own)
    }

    /// A team's own.
    pub(crate) fn into_own(self) -> Vec<NamedQuery> {
        self.own
    }

    /// The query of that name.
    ///
    /// # Errors
    ///
    /// There is none; the error has the nearest name.
    pub(crate) fn find(&self, name: &str) -> Result<&NamedQuery> {
        let mut own = self.own.iter();
        match own.find(|query| query.name == name) {
            Some(query) => Ok(query),
            None => Ok(named_query(name).map_err(|error| self.nearest(error))?),
        }
    }

    /// The same error, with the nearest of all names.
    fn nearest(&self, error: Error) -> Error {
        match error {
            Error::UnknownQuery { name, .. } => {
                Error::unknown_query(&name, self.iter().map(|query| query.name.as_str()))
            }
            other => other,
        }
    }
}

/// The `.sql` files of a folder.
fn files_of(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        files.extend(Some(path).filter(|path| path.extension().is_some_and(|end| end == "sql")));
    }
    Ok(files)
}

fn unreadable(error: std::io::Error, folder: &Path) -> anyhow::Error {
    anyhow!(error).context(format!("cannot read the queries in `{}`", folder.display()))
}

fn add(own: &mut Vec<NamedQuery>, files: &[PathBuf]) -> Result<()> {
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let text = fs::read_to_string(file)
            .with_context(|| format!("cannot read the query `{}`", file.display()))?;
        let query =
            NamedQuery::parse(&name, &text).with_context(|| format!("`{}`", file.display()))?;
        if named_query(&name).is_ok() || own.iter().any(|known| known.name == query.name) {
            bail!(
                "`{}`: there is a query `{name}` already\nhint: give the file another name; `floodmark query` lists them all",
                file.display()
            );
        }
        own.push(query);
    }
    Ok(())
}
