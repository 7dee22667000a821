//! Makes one table from the figures of all rounds: the medians, the ratio to the peer's figure of the same round, and a verdict.

use std::collections::BTreeMap;

use crate::cells::Figures;
use crate::fanout::DELIVERED;
use crate::rows::{Figure, Goal, Row, Unit};

/// The figures of the rounds, and the measurements that failed.
#[derive(Default)]
pub(crate) struct Samples {
    figures: BTreeMap<&'static str, Vec<Figures>>,
    failures: BTreeMap<&'static str, String>,
}

impl Samples {
    pub(crate) fn add(&mut self, cell: &'static str, figures: Figures) {
        self.figures.entry(cell).or_default().push(figures);
    }

    pub(crate) fn fail(&mut self, cell: &'static str, error: String) {
        self.failures.insert(cell, error);
    }

    pub(crate) fn has_failed(&self, cell: &str) -> bool {
        self.failures.contains_key(cell)
    }

    /// Lines for below the table: the measurements that failed, and those in which later values overtook others.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> =
            self.failures.iter().map(|(cell, error)| format!("{cell} failed: {error}")).collect();
        for (&cell, figures) in &self.figures {
            let delivered: Vec<f64> =
                figures.iter().filter_map(|figures| figures.get(DELIVERED).copied()).collect();
            if !delivered.is_empty() && median(&delivered) < 99.0 {
                let share = median(&delivered);
                notes.push(format!(
                    "{cell}: {share:.0} % of the values delivered, the others overtaken by later ones"
                ));
            }
        }
        notes
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.failures.is_empty()
    }

    /// A figure of every round; `None` if the measurement failed in any round.
    fn of(&self, figure: Figure) -> Option<Vec<f64>> {
        if self.has_failed(figure.cell) {
            return None;
        }
        self.figures.get(figure.cell)?.iter().map(|figures| figures.get(figure.name).copied()).collect()
    }
}

/// The heads of the columns.
const HEADS: [&str; 7] = ["row", "livecounter", "peer", "ratio (spread)", "must", "reach", "verdict"];

/// The table as aligned text, or as Markdown, which is aligned as well.
pub(crate) fn render(rows: &[Row], samples: &Samples, markdown: bool) -> String {
    let mut lines: Vec<[String; 7]> = vec![HEADS.map(str::to_owned)];
    lines.extend(rows.iter().map(|row| line(row, samples)));
    let widths: Vec<usize> = (0..HEADS.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default())
        .collect();
    let (edge, between) = if markdown { ("|", " | ") } else { ("", "  ") };
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let fields: Vec<String> =
            line.iter().zip(&widths).map(|(field, &width)| format!("{field:width$}")).collect();
        let content = fields.join(between);
        match markdown {
            true => text.push_str(&format!("{edge} {content} {edge}\n")),
            false => text.push_str(&format!("{}\n", content.trim_end())),
        }
        if number == 0 {
            let rules: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
            match markdown {
                true => text.push_str(&format!("{edge} {} {edge}\n", rules.join(between))),
                false => text.push_str(&format!("{}\n", rules.join(between))),
            }
        }
    }
    text
}

fn line(row: &Row, samples: &Samples) -> [String; 7] {
    let ours = samples.of(row.ours);
    let peer = row.peer.map(|(name, figure)| (name, samples.of(figure)));
    let write =
        |figures: &Option<Vec<f64>>| figures.as_deref().map(|figures| write(row.unit, median(figures)));
    let peer_text = peer.as_ref().map(|(name, figures)| match write(figures) {
        Some(figure) => format!("{name}: {figure}"),
        None => format!("{name}: failed"),
    });
    let ratios: Option<Vec<f64>> = match (&ours, &peer) {
        (Some(ours), Some((_, Some(peer)))) => {
            Some(ours.iter().zip(peer).map(|(ours, peer)| ours / peer).collect())
        }
        _ => None,
    };
    let judged = if row.peer.is_some() { ratios.as_deref() } else { ours.as_deref() };
    let bound = |bound: Option<f64>, goal: &Goal| {
        let sign = if goal.at_least { "≥" } else { "≤" };
        bound.map(|bound| match row.peer {
            Some(_) => format!("{sign} {bound:.2}"),
            None => format!("{sign} {}", self::write(row.unit, bound)),
        })
    };
    let goal = row.goal.as_ref();
    [
        Some(row.name.to_owned()),
        write(&ours).or(Some("failed".to_owned())),
        peer_text,
        spread(row, &ours, ratios.as_deref()),
        goal.and_then(|goal| bound(goal.must, goal)),
        goal.and_then(|goal| bound(goal.reach, goal)),
        match judged {
            Some(figures) => goal.map(|goal| goal.verdict(median(figures)).to_owned()),
            None => Some("failed".to_owned()),
        },
    ]
    .map(|field| field.unwrap_or_else(|| "-".to_owned()))
}

/// The median of the ratios, with the least and the greatest; for a row without a peer, the least and the greatest figure.
fn spread(row: &Row, ours: &Option<Vec<f64>>, ratios: Option<&[f64]>) -> Option<String> {
    let ends = |figures: &[f64]| {
        let ends =
            figures.iter().fold((f64::MAX, f64::MIN), |(least, most), &one| (least.min(one), most.max(one)));
        (figures.len() > 1).then_some(ends)
    };
    match (row.peer, ratios, ours) {
        (Some(_), Some(ratios), _) => Some(match ends(ratios) {
            Some((least, most)) => format!("{:.2} ({least:.2}–{most:.2})", median(ratios)),
            None => format!("{:.2}", median(ratios)),
        }),
        (None, _, Some(ours)) => {
            ends(ours).map(|(least, most)| format!("({}–{})", write(row.unit, least), write(row.unit, most)))
        }
        _ => None,
    }
}

impl Goal {
    fn verdict(&self, figure: f64) -> &'static str {
        let meets = |bound: f64| if self.at_least { figure >= bound } else { figure <= bound };
        match (self.must.map(meets), self.reach.map(meets)) {
            (Some(false), _) => "short",
            (_, Some(true)) => "ok, reached",
            (Some(true), _) => "ok",
            (None, _) => "not reached",
        }
    }
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    }
}

fn write(unit: Unit, figure: f64) -> String {
    match unit {
        Unit::PerSecond if figure >= 1_000.0 => {
            let whole = figure.round() as u64;
            let (thousands, rest) = (whole / 1_000, whole % 1_000);
            match thousands / 1_000 {
                0 => format!("{thousands},{rest:03}/s"),
                millions => format!("{millions},{:03},{rest:03}/s", thousands % 1_000),
            }
        }
        Unit::PerSecond => format!("{}/s", short(figure)),
        Unit::PerChange => format!("{} a change", short(figure)),
        Unit::Milliseconds => format!("{} ms", short(figure)),
        Unit::Microseconds => format!("{} µs", short(figure)),
        Unit::Kibibytes => format!("{} KiB", short(figure)),
    }
}

/// The figure with about three digits.
fn short(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}
