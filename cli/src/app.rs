//! From what was typed to the exit code.

use std::io::{self, BufWriter, Write};

use clap::Parser;

use crate::args::{Command, CommandLine, DlqCommand, RulesCommand, Shared};
use crate::clock::Clock;
use crate::commands::{
    Questioner, blame, canary, completions, demo, diff, dlq, events, find, import, log, ls,
    migrate, rules, serve, show, token,
};
use crate::failure::{Exit, Failure};
use crate::output::{ColorChoice, Output, OutputFormat, printable, terminal_width};

/// Does what the process was started with.
pub fn run_from_environment() -> Exit {
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) => return tell_usage(&error),
    };
    let color = line.shared.color;
    let for_people = line.shared.output == OutputFormat::Text;
    match run(line) {
        Ok(exit) => {
            if exit == Exit::NotFound && for_people {
                // Nobody is to be told if standard error is closed.
                let _ = writeln!(io::stderr(), "nothing matched");
            }
            exit
        }
        Err(failure) => {
            tell(&failure, color);
            failure.exit()
        }
    }
}

fn run(line: CommandLine) -> Result<Exit, Failure> {
    let CommandLine { shared, command } = line;
    let stdout = io::stdout();
    let style = shared.color.style_for(&stdout);
    let mut output =
        Output::new(shared.output, style, terminal_width(), BufWriter::new(stdout.lock()));
    let result = run_command(command, &shared, &mut output);
    // What was answered before a failure is shown too, and a closed pipe hides no failure.
    let written = output.finish();
    match result {
        Ok(exit) => written.map(|()| exit),
        Err(failure) => Err(failure),
    }
}

fn run_command(
    command: Command,
    shared: &Shared,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    check_form(&command, shared.output)?;
    let clock = Clock::of_system(shared.utc, shared.tz.as_deref())?;
    let store = shared.store.as_deref();
    let open = || Questioner::open(store, &clock);
    match command {
        Command::Import(args) => import::run(args, store, &clock, output),
        Command::Show(args) => show::run(&args, &open()?, output),
        Command::Log(args) => log::run(&args, &open()?, output),
        Command::Diff(args) => diff::run(&args, &open()?, output),
        Command::Blame(args) => blame::run(&args, &open()?, output),
        Command::Ls(args) => ls::run(&args, &open()?, output),
        Command::Find(args) => find::run(&args, &open()?, output),
        Command::Events(args) => events::run(&args, &open()?, output),
        Command::Rules(command) => rules::run(&command, open, output),
        Command::Dlq(command) => dlq::run(&command, output),
        Command::Migrate(args) => migrate::run(&args, store, output),
        Command::Serve(args) => serve::run(&args, store, output),
        Command::Token(args) => token::run(&args, output),
        Command::Canary(args) => canary::run(&args, &open()?, output),
        Command::Demo(args) => demo::run(&args, store, &clock, output),
        Command::Completions(args) => completions::run(&args, output),
    }
}

/// Refuses a form that the command's answer cannot have, before anything is done.
fn check_form(command: &Command, form: OutputFormat) -> Result<(), Failure> {
    use OutputFormat::{Csv, Json, Text};
    let (has_form, why) = match command {
        Command::Completions(_) => (form == Text, "completions are a script of the shell"),
        Command::Rules(RulesCommand::Schema) => (matches!(form, Text | Json), "a schema is JSON"),
        Command::Rules(RulesCommand::Fmt(args)) if args.is_filter() => {
            (form == Text, "what is formatted is a rule file")
        }
        Command::Rules(RulesCommand::Check(args)) if args.github => {
            (form == Text, "annotations of GitHub have a form of their own")
        }
        Command::Canary(_) | Command::Serve(_) | Command::Token(_) => (form != Csv, ONE_DOCUMENT),
        Command::Dlq(DlqCommand::Show(_)) => (form != Csv, ONE_DOCUMENT),
        _ => (true, ""),
    };
    if has_form {
        return Ok(());
    }
    let message = format!("--output {} is not possible here: {why}", form.name());
    Err(Failure::new(Exit::Usage, message).hint("leave it out, or choose another form"))
}

/// Why an answer cannot be rows.
const ONE_DOCUMENT: &str = "the answer is one document, not rows";

/// Help and version are no failure; everything else is told by clap on standard error.
fn tell_usage(error: &clap::Error) -> Exit {
    // Nobody is to be told if the output is closed.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Done }
}

fn tell(failure: &Failure, color: ColorChoice) {
    let Failure::Told { message, hints, .. } = failure else { return };
    let mut stderr = io::stderr().lock();
    let style = color.style_for(&stderr);
    let mut told = String::new();
    for (index, line) in message.lines().enumerate() {
        let start = if index == 0 { format!("{} ", style.bad("error:")) } else { String::new() };
        told.push_str(&format!("{start}{}\n", printable(line)));
    }
    for hint in hints {
        told.push_str(&format!("  {}\n", printable(hint)));
    }
    // Nobody is to be told if standard error is closed.
    let _ = stderr.write_all(told.as_bytes());
}
