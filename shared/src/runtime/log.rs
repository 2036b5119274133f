//! The log on standard error: lines for people, or objects for whatever collects logs. Of the events of `tracing`, those of
//! the program and of this crate are shown, and not those of libraries.

use std::fmt::{self, Write as _};
use std::str::FromStr;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{self as output, FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The message, after `warning: ` or `error: ` where it is one.
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
            _ => Err("there are text and json".into()),
        }
    }
}

/// Shows the events of `program` from `level` on. The first call in a process counts.
pub fn show(program: &'static str, level: Level, format: Format) {
    let own = Targets::new()
        .with_target(program, level)
        .with_target(env!("CARGO_CRATE_NAME"), level);
    let lines = output::layer().with_writer(std::io::stderr);
    let shown: Box<dyn Layer<Registry> + Send + Sync> = match format {
        Format::Text => lines.event_format(Plain).with_filter(own).boxed(),
        Format::Json => {
            let objects = lines.json().flatten_event(true).with_target(false);
            objects
                .with_current_span(false)
                .with_span_list(false)
                .with_filter(own)
                .boxed()
        }
    };
    // It fails where there is one already.
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
