//! The log on standard error: lines for people, or JSON objects for log collectors. Shows the `tracing` events of the
//! program and of this crate, but not those of libraries.

use std::fmt::{self, Write as _};
use std::str::FromStr;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{self as output, FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The message, with the prefix `warning: ` or `error: ` if it is one.
    #[default]
    Text,
    /// A JSON object per line: `timestamp` (UTC), `level`, `message`, and the event's other fields.
    Json,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("choose from text, json".into()),
        }
    }
}

/// Shows the events of `program` at `level` and above. Only the first call in a process has an effect.
pub fn show(program: &'static str, level: Level, format: Format) {
    let targets = Targets::new()
        .with_target(program, level)
        .with_target(env!("CARGO_CRATE_NAME"), level);
    let lines = output::layer().with_writer(std::io::stderr);
    let shown: Box<dyn Layer<Registry> + Send + Sync> = match format {
        Format::Text => lines.event_format(Plain).with_filter(targets).boxed(),
        Format::Json => {
            let objects = lines.json().flatten_event(true).with_target(false);
            objects
                .with_current_span(false)
                .with_span_list(false)
                .with_filter(targets)
                .boxed()
        }
    };
    // Fails if a subscriber is already set.
    let _ = tracing::subscriber::set_global_default(Registry::default().with(shown));
}

struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut message = Message(String::new());
        event.record(&mut message);
        let kind = match *event.metadata().level() {
            Level::ERROR => "error: ",
            Level::WARN => "warning: ",
            _ => "",
        };
        writeln!(writer, "{kind}{}", message.0)
    }
}

/// An event's message, without its other fields.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing into a string cannot fail.
            let _ = write!(self.0, "{value:?}");
        }
    }
}
