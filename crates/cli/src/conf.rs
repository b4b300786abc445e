//! The nginx.conf that says which logs there are and how their lines are written.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use floodmark_format::{AccessLog, ConfFile, ConfOptions, NginxConf};
use floodmark_source::LogFile;
use glob::MatchOptions;

use crate::plan::Plan;
use crate::say::said;

/// Where Debian and most others have it.
const USUAL: &str = "/etc/nginx/nginx.conf";

/// A file of a configuration is written by people, or by a program for them.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// A configuration and where it lies.
#[derive(Debug)]
pub(crate) struct Conf {
    pub(crate) path: PathBuf,
    pub(crate) conf: NginxConf,
    /// All logs, whatever port their servers listen on.
    logs: Vec<AccessLog>,
    /// What could not be read of it.
    warnings: Vec<String>,
}

/// How a log that was found is told to be one that a configuration names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KnownBy {
    Path,
    /// The folder is another one: that of a copy, such as the logs of another machine.
    Name,
}

impl Conf {
    /// The configuration that is to say which logs there are: `--nginx-conf`, else Nginx's usual one.
    pub(crate) fn of_logs(plan: &Plan) -> Result<Self> {
        let usual = Path::new(USUAL);
        let path = plan.nginx_conf.as_deref().unwrap_or(usual);
        if plan.nginx_conf.is_none() && !usual.exists() {
            bail!(
                "no logs given, and there is no `{USUAL}` to name them\nhint: name files, globs or directories, such as `/var/log/nginx`, `-` for standard input, or Nginx's configuration with `--nginx-conf FILE`"
            );
        }
        let conf = Self::read(path, plan.nginx_prefix.as_deref())?;
        for warning in &conf.warnings {
            plan.voice.warn(warning);
        }
        Ok(conf)
    }

    /// The configurations that may know logs that were named: `--nginx-conf`, else an nginx.conf in a directory that was
    /// given, else Nginx's usual one, which nobody asked for: it knows only logs at their very paths, and if it cannot be
    /// read there is none.
    pub(crate) fn beside(plan: &Plan, arguments: &[String]) -> Result<Option<(Self, KnownBy)>> {
        let beside = || {
            arguments
                .iter()
                .map(|argument| Path::new(argument).join("nginx.conf"))
                .find(|path| path.is_file())
        };
        let prefix = plan.nginx_prefix.as_deref();
        if let Some(path) = plan.nginx_conf.clone().or_else(beside) {
            let conf = Self::read(&path, prefix)?;
            for warning in &conf.warnings {
                plan.voice.detail(warning);
            }
            return Ok(Some((conf, KnownBy::Name)));
        }
        let usual = Self::read(Path::new(USUAL), prefix);
        Ok(usual.ok().map(|conf| (conf, KnownBy::Path)))
    }

    fn read(path: &Path, prefix: Option<&Path>) -> Result<Self> {
        let cannot = || format!("cannot read `{}`", path.display());
        let bytes = read_file(path).with_context(cannot)?;
        let full_path = std::path::absolute(path).with_context(cannot)?;
        let prefix = prefix.map_or_else(|| usual_prefix(&full_path), Path::to_owned);
        let prefix = prefix.display().to_string();
        let main = ConfFile {
            name: full_path.display().to_string(),
            bytes,
        };
        let options = ConfOptions {
            prefix: &prefix,
            ..ConfOptions::default()
        };
        let mut warnings = Vec::new();
        let conf = NginxConf::read(&main, &options, &mut |pattern| {
            included(pattern, &mut warnings)
        })?;
        Ok(Self {
            logs: conf.logs(None),
            path: path.to_owned(),
            conf,
            warnings,
        })
    }

    /// What it says of a log that was found, and how it knows it.
    pub(crate) fn log_of(
        &self,
        file: &LogFile,
        known_by: KnownBy,
    ) -> Option<(&AccessLog, KnownBy)> {
        let name = Path::new(&file.log_set).file_name()?;
        let mut named = self.logs.iter().filter(|log| {
            log.unreadable().is_none() && Path::new(&log.path).file_name() == Some(name)
        });
        let folder = |path: &Path| fs::canonicalize(path.parent()?).ok();
        let file_folder = folder(&std::path::absolute(&file.path).ok()?);
        let at_path = |log: &&AccessLog| folder(Path::new(&log.path)) == file_folder;
        if let Some(log) = named
            .clone()
            .find(at_path)
            .filter(|_| file_folder.is_some())
        {
            return Some((log, KnownBy::Path));
        }
        let by_name = named.next().filter(|_| known_by == KnownBy::Name)?;
        Some((by_name, KnownBy::Name))
    }
}

/// The folder that Nginx was most likely built or started with as its prefix.
fn usual_prefix(conf: &Path) -> PathBuf {
    let folder = conf.parent().unwrap_or(Path::new("/"));
    match (folder, folder.file_name()) {
        // Debian, Ubuntu and Fedora build it so.
        (folder, _) if folder == Path::new("/etc/nginx") => PathBuf::from("/usr/share/nginx"),
        // Built from source, the configuration is in a folder of the prefix.
        (_, Some(name)) if name == "conf" => folder.parent().unwrap_or(folder).to_owned(),
        _ => folder.to_owned(),
    }
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for its writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!(
            "it has more than {FILE_BYTES_MAX} bytes"
        )));
    }
    Ok(bytes)
}

/// The files of an `include`, as `glob` of the C library finds and sorts them.
fn included(pattern: &str, warnings: &mut Vec<String>) -> Vec<ConfFile> {
    let mut files = Vec::new();
    for path in fitting(pattern, warnings) {
        match read_file(&path) {
            Ok(bytes) => files.push(ConfFile {
                name: path.display().to_string(),
                bytes,
            }),
            Err(error) => warnings.push(format!(
                "cannot read `{}`, a part of Nginx's configuration: {}; what it says of logs is not known",
                path.display(),
                said(&error),
            )),
        }
    }
    files
}

fn fitting(pattern: &str, warnings: &mut Vec<String>) -> Vec<PathBuf> {
    if !pattern.contains(['*', '?', '[']) {
        return vec![PathBuf::from(pattern)];
    }
    let options = MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    // Two stars are one to the C library, and something else here.
    let mut single = pattern.to_owned();
    while single.contains("**") {
        single = single.replace("**", "*");
    }
    match glob::glob_with(&single, options) {
        Ok(paths) => {
            let mut paths: Vec<PathBuf> = paths
                .map(|path| path.unwrap_or_else(|error| error.path().to_owned()))
                .collect();
            paths.sort_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
            paths
        }
        Err(error) => {
            warnings.push(format!(
                "cannot read the glob `{pattern}` of an `include`: {}",
                error.msg
            ));
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_told_by_the_folder() {
        let check = |conf: &str, prefix: &str| {
            assert_eq!(usual_prefix(Path::new(conf)), Path::new(prefix), "{conf}");
        };
        check("/etc/nginx/nginx.conf", "/usr/share/nginx");
        check("/usr/local/nginx/conf/nginx.conf", "/usr/local/nginx");
        check("/srv/nginx/nginx.conf", "/srv/nginx");
    }
}
