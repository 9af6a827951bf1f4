//! The origin of each value: the default, under the file, under the environment, under the flags. Not for what a
//! value means.

use super::Error;
use super::keys::{KEYS, Key, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// The prefixes of the variables that configure the tools of clouds.
const CLOUDS: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];

/// Flags that override everything else.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<String>,
    /// `--workers`
    pub workers: Option<u64>,
    /// `--kafka`
    pub kafka: Option<String>,
    /// `--kafka-listen`
    pub kafka_listen: Option<String>,
}

/// The origin of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nothing set it.
    Default,
    /// A file, and the line in it.
    File(String, usize),
    /// An environment variable.
    Environment(String),
    /// A flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(file, line) => write!(f, "{file}:{line}"),
            Origin::Environment(variable) => write!(f, "environment {variable}"),
            Origin::Flag(flag) => f.write_str(flag),
        }
    }
}

/// A value for every key, each with where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    values: BTreeMap<&'static str, (Value, Origin)>,
    /// The environment variables of clouds' own tools.
    clouds: Vec<(String, String)>,
}

impl Settings {
    /// Puts the configuration together.
    pub fn load(file: Option<&Path>, environment: &[(String, String)], flags: Flags) -> Result<Settings, Error> {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        let default = |key: &'static Key| (key.name, (key.allowed.default(cores), Origin::Default));
        let mut settings = Settings { values: KEYS.iter().map(default).collect(), clouds: Vec::new() };
        if let Some(file) = file {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(file).map_err(|source| Error::File { file: name.clone(), source })?;
            settings.take_file(&name, &text)?;
        }
        settings.take_environment(environment)?;
        settings.take_flags(flags)?;
        settings.check_pairs()?;
        Ok(settings)
    }

    /// The value of a key that exists, and where it comes from.
    pub fn get(&self, name: &str) -> &(Value, Origin) {
        self.values.get(name).expect("only keys of the table are asked for")
    }

    /// The keys whose values are others in `other`, whatever they come from.
    pub fn differences<'a>(&'a self, other: &'a Settings) -> impl Iterator<Item = &'static str> + 'a {
        KEYS.iter().map(|key| key.name).filter(|name| self.get(name).0 != other.get(name).0)
    }

    /// The environment variables by which the tools of clouds are configured.
    pub fn clouds(&self) -> &[(String, String)] {
        &self.clouds
    }

    /// Takes over what a file sets.
    pub(super) fn take_file(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let line = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        let document = DeTable::parse(text).map_err(|error| Error::Syntax {
            place: Origin::File(name.to_owned(), line(error.span().map_or(0, |span| span.start))),
            detail: error.message().to_owned(),
        })?;
        for (section, table) in document.get_ref() {
            let place = |at: usize| Origin::File(name.to_owned(), line(at));
            let DeValue::Table(keys) = table.get_ref() else {
                return Err(unknown(place(section.span().start), section.get_ref()));
            };
            if !KEYS.iter().any(|key| key.section() == section.get_ref()) {
                return Err(unknown(place(section.span().start), section.get_ref()));
            }
            for (key, value) in keys {
                let (full, place) = (format!("{}.{}", section.get_ref(), key.get_ref()), place(key.span().start));
                let key = Key::find(&full).ok_or_else(|| unknown(place.clone(), &full))?;
                let text = written(key, value.get_ref());
                self.take(key, text.as_deref().ok(), text.as_deref().unwrap_or_else(|shown| shown), place)?;
            }
        }
        Ok(())
    }

    /// Takes over what environment variables set, and notes those of clouds. All others are left alone.
    pub(super) fn take_environment(&mut self, environment: &[(String, String)]) -> Result<(), Error> {
        let is_clouds = |(variable, _): &&(String, String)| CLOUDS.iter().any(|begin| variable.starts_with(begin));
        self.clouds.extend(environment.iter().filter(is_clouds).cloned());
        for (variable, text) in environment.iter().filter(|(variable, _)| is_ours(variable)) {
            let place = Origin::Environment(variable.clone());
            let key = KEYS.iter().find(|key| key.variable() == *variable);
            let Some(key) = key else {
                let name = variable.trim_start_matches("TRADEWIND_").to_lowercase().replacen('_', ".", 1);
                return Err(unknown(place, &name));
            };
            self.take(key, Some(text), text, place)?;
        }
        Ok(())
    }

    pub(super) fn take_flags(&mut self, flags: Flags) -> Result<(), Error> {
        let Flags { data, listen, workers, kafka, kafka_listen } = flags;
        let texts = [
            ("log.data_dir", "--data", data.map(|data| data.display().to_string())),
            ("serving.listen", "--listen", listen),
            ("engine.workers", "--workers", workers.map(|workers| workers.to_string())),
            ("kafka.bootstrap", "--kafka", kafka),
            ("kafka.listen", "--kafka-listen", kafka_listen),
        ];
        for (name, flag, text) in texts {
            if let Some(text) = text {
                let key = Key::find(name).expect("flags set keys of the table");
                self.take(key, Some(&text), &text, Origin::Flag(flag))?;
            }
        }
        Ok(())
    }

    /// Sets a key if the text is there and allowed; `shown` is the value as given, for the error.
    fn take(&mut self, key: &Key, text: Option<&str>, shown: &str, place: Origin) -> Result<(), Error> {
        let Some(value) = text.and_then(|text| key.allowed.read(text)) else {
            let (key, allowed) = (key.name.to_owned(), key.allowed.described());
            return Err(Error::BadValue { place, key, value: shown.to_owned(), allowed });
        };
        self.values.insert(key.name, (value, place));
        Ok(())
    }

    /// Some keys bound each other.
    pub(super) fn check_pairs(&self) -> Result<(), Error> {
        let pairs = [
            ("epochs.epoch_ms_min", "epochs.epoch_ms_max"),
            ("epochs.retry_ms_min", "epochs.retry_ms_max"),
            ("serving.wait_s", "serving.wait_s_max"),
            ("serving.commands_bytes_max", "serving.bytes_in_flight_max"),
        ];
        for (least, most) in pairs {
            if let ((Value::Number(low), place), (Value::Number(high), other)) = (self.get(least), self.get(most))
                && low > high
            {
                let (place, of) = if *place == Origin::Default { (other, most) } else { (place, least) };
                let allowed = format!("{least} ({low}) at most {most} ({high})");
                let value = if of == least { low.to_string() } else { high.to_string() };
                return Err(Error::BadValue { place: place.clone(), key: of.to_owned(), value, allowed });
            }
        }
        Ok(())
    }
}

/// The text of a TOML value that is of the key's type; otherwise the value as given.
fn written(key: &Key, value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::Integer(number) if key.allowed.is_number() => {
            let read = i128::from_str_radix(number.as_str(), number.radix());
            read.map(|number| number.to_string()).map_err(|_| number.as_str().to_owned())
        }
        DeValue::String(text) if !key.allowed.is_number() => Ok(text.to_string()),
        DeValue::Array(list) if key.allowed.is_list() => {
            let texts: Option<Vec<&str>> = list.iter().map(|item| item.get_ref().as_str()).collect();
            texts.map(|texts| texts.join(",")).ok_or_else(|| "a list with something else than texts".to_owned())
        }
        DeValue::Boolean(value) if key.allowed.read(&value.to_string()).is_some() && !key.allowed.is_number() => {
            Ok(value.to_string())
        }
        DeValue::String(text) => Err(format!("{text:?}")),
        DeValue::Integer(number) => Err(number.as_str().to_owned()),
        DeValue::Boolean(value) => Err(value.to_string()),
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            Err(format!("a value of the type {}", value.type_str()))
        }
    }
}

/// Returns true if a variable is meant for the configuration. Orchestrators set their own for every service whose name
/// begins with ours, and tests have theirs.
fn is_ours(variable: &str) -> bool {
    let Some(name) = variable.strip_prefix("TRADEWIND_") else { return false };
    !name.starts_with("TEST_") && !is_orchestrators(name)
}

/// Returns true if Kubernetes or links of Docker set it for a service: `…_SERVICE_HOST`, `…_SERVICE_PORT`,
/// `…_SERVICE_PORT_<name>`, `…_PORT`, `…_PORT_<number>_TCP` and names that begin so. Our own name has no prefix.
fn is_orchestrators(name: &str) -> bool {
    let name = format!("_{name}");
    let is_port_and_protocol = |rest: &str| {
        let (number, protocol) = rest.split_once('_').unwrap_or((rest, ""));
        let protocol = protocol.split('_').next().unwrap_or_default();
        !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && ["TCP", "UDP", "SCTP"].contains(&protocol)
    };
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || name.ends_with("_PORT")
        || name.match_indices("_PORT_").any(|(at, begin)| is_port_and_protocol(&name[at + begin.len()..]))
}

/// The error that names the keys, or the sections, that exist.
fn unknown(place: Origin, name: &str) -> Error {
    let section = name.split_once('.').map_or(name, |(section, _)| section);
    let mut there: Vec<&str> =
        KEYS.iter().filter(|key| key.section() == section).map(|key| &key.name[section.len() + 1..]).collect();
    if there.is_empty() {
        there = KEYS.iter().map(Key::section).collect();
        there.dedup();
        return Error::UnknownKey {
            place,
            key: name.to_owned(),
            allowed: format!("the sections {}", there.join(", ")),
        };
    }
    Error::UnknownKey { place, key: name.to_owned(), allowed: format!("in [{section}] {}", there.join(", ")) }
}
