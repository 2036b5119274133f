//! `train devices`: the devices that this program can compute on.

use super::Outcome;
use crate::process::text_table::{Align, text_table};
use crate::settings::device::list;
use serde_json::json;

pub fn run_devices() -> Outcome {
    let (devices, notes) = list();
    let mut rows = vec![["--device", "kind", "name", "driver"].map(String::from).to_vec()];
    for listed in &devices {
        let cells = [&listed.device, &listed.kind, &listed.name, &listed.driver];
        rows.push(cells.map(String::clone).to_vec());
    }
    let mut text = text_table(&rows, Align::Left);
    notes.iter().for_each(|note| text += &format!("\n\nnote: {note}"));
    Outcome {
        text,
        json: json!({ "command": "devices", "devices": devices, "notes": notes }),
    }
}
