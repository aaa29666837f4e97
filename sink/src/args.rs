//! The command line: one flag for each setting, and what to do instead of running.

use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, value_parser};

use crate::exit::EXIT_CODES;
use crate::settings::definitions::{DEFINITIONS, VARIABLE_PREFIX};
use crate::settings::layers::Layers;

/// What was asked for.
#[derive(Debug)]
pub struct Args {
    /// What to do.
    pub action: Action,
    /// What everybody says about settings.
    pub layers: Layers,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Move events.
    Run,
    /// Check the settings alone.
    Check,
    /// Check the settings, and that servers, topics and store are there.
    CheckConnections,
    /// Show the settings in effect.
    Print,
}

/// The variable that names the file.
const CONFIG_VARIABLE: &str = "STATETRAIL_SINK_CONFIG";

/// Reads the command line, the environment and the file.
///
/// # Errors
/// What clap says about a command line that it does not understand; other faults are in the
/// layers.
pub fn parse(
    words: impl IntoIterator<Item = std::ffi::OsString>,
    environment: impl Fn() -> Vec<(String, String)>,
) -> Result<Args, clap::Error> {
    let matches = command().try_get_matches_from(words)?;
    let variables = environment();
    let mut layers = Layers::of_defaults();
    let from_variable = || {
        let found = variables.iter().find(|(name, _)| name == CONFIG_VARIABLE);
        found.map(|(_, path)| PathBuf::from(path))
    };
    if let Some(path) = matches.get_one::<PathBuf>("config").cloned().or_else(from_variable) {
        layers.read_file(&path);
    }
    layers.add_environment(variables.into_iter(), &[CONFIG_VARIABLE]);
    for definition in &DEFINITIONS {
        if let Some(text) = matches.get_one::<String>(definition.key) {
            layers.set(definition.key, text, format!("--{}", definition.flag()));
        }
    }
    for property in matches.get_many::<String>("kafka-property").into_iter().flatten() {
        match property.split_once('=') {
            Some((name, text)) => layers.set_property(name, text, "--kafka-property".to_owned()),
            None => layers.faults.push(format!("--kafka-property {property}: no NAME=VALUE")),
        }
    }
    let action = if matches.get_flag("print-config") {
        Action::Print
    } else if matches.get_flag("check-connections") {
        Action::CheckConnections
    } else if matches.get_flag("check") {
        Action::Check
    } else {
        Action::Run
    };
    Ok(Args { action, layers })
}

/// The command, for help and tests.
pub fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).help(help).action(ArgAction::SetTrue)
    };
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help(format!("The settings as TOML [env: {CONFIG_VARIABLE}]"));
    let property = Arg::new("kafka-property")
        .long("kafka-property")
        .value_name("NAME=VALUE")
        .action(ArgAction::Append)
        .help("A property of librdkafka; in the file, the table kafka.properties");
    let settings = DEFINITIONS.iter().map(|definition| {
        let default = definition.default.map(|it| format!(" [default: {it}]")).unwrap_or_default();
        Arg::new(definition.key)
            .long(definition.flag())
            .value_name(definition.value)
            .help(format!("{}{default}", definition.help))
            .help_heading("Settings")
    });
    let precedence = format!(
        "Each setting is a flag, a variable ({VARIABLE_PREFIX}KAFKA_TOPICS for kafka.topics) and a \
         key of the file; flags come before variables, these before the file.\n\n{EXIT_CODES}"
    );
    Command::new("statetrail-sink")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Moves events from Kafka into a store: each at least once, stored once")
        .max_term_width(100)
        // A flag that stands twice counts as it stands last, so that scripts can append.
        .args_override_self(true)
        .after_help(precedence)
        .arg(config)
        .arg(flag("check", "Check the settings, secret files included, and exit"))
        .arg(flag("check-connections", "Also check brokers, topics and store, and exit"))
        .arg(flag(
            "print-config",
            "Show the settings in effect and where each comes from, and exit",
        ))
        .args(settings)
        .arg(property.help_heading("Settings"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_well_formed() {
        super::command().debug_assert();
    }
}
