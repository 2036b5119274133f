//! The pages in a real browser, in light and dark mode, with the width of a phone and of a desktop. Needs Chromium.

use crate::inspect;
use crate::report::{classes, compared, page, tags};
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use tests::harness::BuiltDataset;

/// Window widths and height in pixels.
const WIDTHS: [u32; 2] = [390, 1280];
const HEIGHT: u32 = 1600;
/// Minimum contrast of text at level AA of WCAG 2.
const MIN_CONTRAST: f64 = 4.5;

/// A script that sends the width of the page, the width of the window and the text with the lowest contrast to the
/// enclosing page.
const PROBE: &str = r#"<script>
const channels = (color) => {
  const numbers = color.match(/[\d.]+(e-\d+)?/g).map(Number);
  return color.startsWith("color(") ? [...numbers.slice(0, 3).map((x) => 255 * x), numbers[3] ?? 1] : [...numbers.slice(0, 3), numbers[3] ?? 1];
};
const luminance = (color) => {
  const [r, g, b] = channels(color).map((x) => x / 255).map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  // In a heat map the shade of a cell covers the rectangle below it.
  const cell = element.closest("g.cell");
  if (cell) {
    const [under, shade] = [...cell.querySelectorAll("rect")].map((rect) => getComputedStyle(rect));
    if (!shade) return under.fill;
    const share = Number(shade.fillOpacity);
    const [a, b] = [channels(under.fill), channels(shade.fill)];
    return `rgb(${[0, 1, 2].map((at) => a[at] + share * (b[at] - a[at])).join(", ")})`;
  }
  for (let at = element; at; at = at.parentElement) {
    const color = getComputedStyle(at).backgroundColor;
    if (channels(color)[3] === 1) return color;
  }
  return "rgb(255, 255, 255)";
};
let least = [99, ""];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const [text, element] = [walker.currentNode.textContent.trim(), walker.currentNode.parentElement];
  if (!text || ["SCRIPT", "STYLE", "TITLE"].includes(element.tagName.toUpperCase())) continue;
  const style = getComputedStyle(element);
  const [a, b] = [luminance(element.closest("svg") ? style.fill : style.color), luminance(behind(element))];
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (contrast < least[0]) least = [contrast, text];
}
const root = document.documentElement;
parent.postMessage([root.scrollWidth, root.clientWidth, least[0].toFixed(2), least[1]].join("|"), "*");
</script></body>"#;

/// A script that puts three lists into the page title: the duration of each sound in seconds, -1 if it cannot be
/// played; the support column after a click on its heading; and the class names, one of which starts with a digit,
/// after a click on theirs.
const USE: &str = r##"<script>
const length = (sound) => new Promise((done) => {
  sound.addEventListener("loadedmetadata", () => done(sound.duration));
  sound.addEventListener("error", () => done(-1));
  if (sound.readyState > 0) done(sound.duration);
});
document.querySelectorAll("#classes thead button")[1].click();
const support = [...document.querySelectorAll("#classes tbody tr")].map((row) => row.cells[1].textContent);
const rows = [...document.querySelectorAll("#classes tbody tr")];
rows[rows.length - 1].cells[0].textContent = "80s";
document.querySelectorAll("#classes thead button")[0].click();
const names = [...document.querySelectorAll("#classes tbody tr")].map((row) => row.cells[0].textContent);
Promise.all([...document.querySelectorAll("audio")].map(length)).then((lengths) => {
  document.title = [lengths.join(" "), support.join(" "), names.join(",")].join("|");
});
</script></body>"##;

/// A script that puts into the page title the number of tracks, the number of classes after one was chosen, and whether
/// tracks of a searched artist are found, lengths fall after a click on their heading, and all pictures can be decoded.
const BROWSE: &str = r##"<script>
const rows = () => [...document.querySelectorAll(".browser tbody tr")];
const [search, choice] = [document.querySelector(".browser input"), document.querySelector(".browser select")];
const set = (field, value) => {
  field.value = value;
  field.dispatchEvent(new Event("input"));
};
const all = document.querySelector(".browser output").textContent.split(" ")[0];
const artist = rows()[0].cells[2].textContent;
set(choice, "0");
const classes = new Set(rows().map((row) => row.cells[3].textContent));
set(choice, "");
set(search, artist.toUpperCase());
const found = rows().length > 0 && rows().every((row) => row.textContent.includes(artist));
set(search, "");
[...document.querySelectorAll(".browser th button")].at(-1).click();
const lengths = rows().map((row) => Number(row.cells[5].textContent));
const falling = lengths.every((length, at) => !at || lengths[at - 1] >= length);
const images = [...document.querySelectorAll(".thumb img")].map((image) => image.decode());
Promise.all(images).then(() => {
  document.title = [all, classes.size, found, falling, images.length === rows().length].join("|");
});
</script></body>"##;

/// A page that contains another one in an iframe and puts its message into the title. An iframe can be as narrow as a
/// phone, a window cannot.
fn in_iframe(page: &str, width: u32) -> String {
    format!(
        "<!DOCTYPE html><title>no message</title>\
         <script>addEventListener('message', (event) => {{ document.title = event.data; }});</script>\
         <iframe src='{page}' width='{width}' height='{HEIGHT}' style='border: 0'></iframe>"
    )
}

/// The first Chromium in PATH.
fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    std::env::split_paths(&path)
        .flat_map(|directory| names.map(|name| directory.join(name)))
        .find(|file| file.is_file())
}

/// Runs Chromium on a page and returns its output. Network access is blocked.
fn browse(chromium: &Path, page: &Path, dark: bool, width: u32, task: &str) -> String {
    let profile = TempDir::new().unwrap();
    let output = Command::new(chromium)
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
        .args(["--disable-background-networking", "--virtual-time-budget=2000"])
        .arg("--host-resolver-rules=MAP * ~NOTFOUND")
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)))
        .arg(format!("--window-size={width},{HEIGHT}"))
        .arg(task)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Width and height, and the colour of the upper left corner, which shows only the page background.
fn corner(picture: &Path) -> ([u32; 2], [u8; 3]) {
    let mut reader = png::Decoder::new(BufReader::new(fs::File::open(picture).unwrap()))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!(info.bit_depth, png::BitDepth::Eight);
    ([info.width, info.height], [pixels[0], pixels[1], pixels[2]])
}

fn title(document: &str) -> &str {
    let after = document.split("<title>").nth(1).unwrap();
    after.split("</title>").next().unwrap()
}

fn check_page(chromium: &Path, name: &str, page: &Path) {
    let root = TempDir::new().unwrap();
    let probed = fs::read_to_string(page).unwrap().replace("</body>", PROBE);
    fs::write(root.path().join("probed.html"), probed).unwrap();
    for width in WIDTHS {
        let outer = root.path().join("outer.html");
        fs::write(&outer, in_iframe("probed.html", width)).unwrap();
        for dark in [false, true] {
            let place = format!("{name}, {width} pixels, {}", if dark { "dark" } else { "light" });
            let picture = root.path().join("picture.png");
            browse(
                chromium,
                page,
                dark,
                width,
                &format!("--screenshot={}", picture.display()),
            );
            let (size, corner) = corner(&picture);
            assert_eq!(size, [width, HEIGHT], "{place}");
            assert!(
                corner
                    .iter()
                    .all(|channel| (*channel < 64) == dark && (*channel > 224) != dark),
                "{place}: {corner:?}"
            );
            let document = browse(chromium, &outer, dark, 2 * width, "--dump-dom");
            let title = document
                .split("<title>")
                .nth(1)
                .unwrap()
                .split("</title>")
                .next()
                .unwrap();
            let found: Vec<&str> = title.splitn(4, '|').collect();
            assert_eq!(
                found[..2],
                [&*width.to_string(), &*width.to_string()],
                "{place}: the page is wider than the window: {title}"
            );
            assert!(
                found[2].parse::<f64>().unwrap() >= MIN_CONTRAST,
                "{place}: text has too little contrast: {title}"
            );
        }
    }
}

#[test]
fn report_sounds_play_and_tables_can_be_sorted() {
    let Some(chromium) = chromium() else {
        println!("skipped: no Chromium in PATH");
        return;
    };
    let root = TempDir::new().unwrap();
    let used = root.path().join("used.html");
    fs::write(&used, page(&classes()).replace("</body>", USE)).unwrap();
    let document = browse(&chromium, &used, false, WIDTHS[1], "--dump-dom");
    let parts: Vec<&str> = title(&document).split('|').collect();
    let [lengths, support, names] = parts[..] else {
        panic!("{parts:?}");
    };
    let names: Vec<&str> = names.split(',').collect();
    assert!(names[0] == "80s" && names.is_sorted(), "{names:?}");
    let numbers = |text: &str| {
        text.split(' ')
            .map(|number| number.parse().unwrap())
            .collect::<Vec<f64>>()
    };
    let lengths = numbers(lengths);
    assert_eq!(lengths.len(), page(&classes()).matches("<audio").count());
    assert!(
        lengths.iter().all(|length| (0.1..=10.0).contains(length)),
        "{lengths:?}"
    );
    let support = numbers(support);
    assert!(
        support.is_sorted_by(|a, b| a >= b) && support[0] > support[support.len() - 1],
        "{support:?}"
    );
}

#[test]
fn tracks_of_a_data_set_can_be_searched_and_sorted() {
    let Some(chromium) = chromium() else {
        println!("skipped: no Chromium in PATH");
        return;
    };
    let root = TempDir::new().unwrap();
    let used = root.path().join("used.html");
    let page = fs::read_to_string(inspect::page()).unwrap();
    fs::write(&used, page.replace("</body>", BROWSE)).unwrap();
    let document = browse(&chromium, &used, false, WIDTHS[1], "--dump-dom");
    let tracks = BuiltDataset::small().table("tracks.csv").len();
    assert_eq!(title(&document), format!("{tracks}|1|true|true|true"));
}

#[test]
fn pages_fit_phone_and_desktop_in_light_and_dark_mode() {
    let Some(chromium) = chromium() else {
        println!("skipped: no Chromium in PATH");
        return;
    };
    check_page(&chromium, "classes", &classes().join("report.html"));
    check_page(&chromium, "tags", &tags().join("report.html"));
    check_page(&chromium, "comparison", &compared());
    check_page(&chromium, "data set", &inspect::page());
}
