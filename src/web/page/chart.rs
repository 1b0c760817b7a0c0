//! A chart as its template draws it: places in units of a drawing that is as wide as the page, and the same as a table.

use super::frame::Frame;
use crate::texts;

/// The width of the drawing.
const WIDE: usize = 480;
/// Room for what stands at the lines.
const LEFT: usize = 64;
/// Where the lowest line lies.
pub(super) const FOOT: usize = 140;
const HIGH: u64 = 126;

pub(super) struct Rect {
    pub class: &'static str,
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
}

/// What belongs together, with what is told of it.
pub(super) struct Group {
    pub title: String,
    pub rects: Vec<Rect>,
}

pub(super) struct Label {
    pub x: usize,
    pub y: usize,
    pub anchor: &'static str,
    pub text: String,
}

pub(super) struct Line {
    pub y: usize,
}

/// A chart and its twin.
pub(super) struct Chart {
    pub id: &'static str,
    pub title: String,
    pub note: String,
    pub height: usize,
    pub lines: Vec<Line>,
    pub labels: Vec<Label>,
    pub groups: Vec<Group>,
    pub legend: Vec<(&'static str, String)>,
    pub heads: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// The places of so many columns beside each other.
pub(super) struct Columns {
    step: usize,
}

impl Columns {
    pub(super) fn of(count: usize) -> Columns {
        Columns { step: (WIDE - LEFT) / count.max(1) }
    }

    /// A part of a column, from so far up to so far down, so much narrower on either side.
    pub(super) fn rect(
        &self,
        column: usize,
        class: &'static str,
        (y, height): (usize, usize),
        narrower: usize,
    ) -> Rect {
        let width = self.step.saturating_sub(2 + 2 * narrower);
        Rect { class, x: LEFT + column * self.step + 1 + narrower, y, width, height }
    }

    /// What stands under a column.
    pub(super) fn label(&self, column: usize, text: String) -> Label {
        Label { x: LEFT + column * self.step + self.step / 2, y: FOOT + 16, anchor: "middle", text }
    }
}

impl Chart {
    pub(super) fn new(id: &'static str, title: String) -> Chart {
        Chart {
            id,
            title,
            note: String::new(),
            height: FOOT + 22,
            lines: Vec::new(),
            labels: Vec::new(),
            groups: Vec::new(),
            legend: Vec::new(),
            heads: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// A line across, and what it stands for.
    pub(super) fn line(&mut self, y: usize, text: String) {
        self.lines.push(Line { y });
        self.labels.push(Label { x: LEFT - 6, y: y + 4, anchor: "end", text });
    }

    /// Counts of days on top of each other: each day with its counts, which have these classes and words.
    pub(super) fn stacked(&mut self, frame: &Frame, kinds: &[(&'static str, String)], days: Vec<(String, Vec<u64>)>) {
        self.heads =
            std::iter::once(frame.say(texts::col_day())).chain(kinds.iter().map(|kind| kind.1.clone())).collect();
        self.legend = kinds.to_vec();
        let most = days.iter().map(|(_, counts)| counts.iter().sum::<u64>()).max().unwrap_or(0);
        if most == 0 {
            return;
        }
        self.line(up(most, most), most.to_string());
        self.line(FOOT, "0".to_owned());
        let columns = Columns::of(days.len());
        for (column, (day, counts)) in days.into_iter().enumerate() {
            let mut foot = FOOT;
            let mut group = Group { title: String::new(), rects: Vec::new() };
            let mut told = Vec::new();
            for ((class, word), count) in kinds.iter().zip(&counts).filter(|(_, count)| **count > 0) {
                // What is there is seen, however little it is.
                let high = (FOOT - up(*count, most)).max(2);
                foot = foot.saturating_sub(high);
                group.rects.push(columns.rect(column, class, (foot, high), 0));
                told.push(format!("{count} {word}"));
            }
            if column % 7 == 1 {
                self.labels.push(columns.label(column, day.get(5..).unwrap_or_default().to_owned()));
            }
            if told.is_empty() {
                continue;
            }
            group.title = format!("{day}: {}", told.join(", "));
            self.groups.push(group);
            self.rows.push(std::iter::once(day).chain(counts.iter().map(u64::to_string)).collect());
        }
    }
}

/// How far up a count comes of the most that there is.
fn up(count: u64, most: u64) -> usize {
    let high = u128::from(HIGH) * u128::from(count) / u128::from(most.max(1));
    FOOT - usize::try_from(high).unwrap_or(0).min(FOOT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_high_as_its_count_and_what_is_little_is_seen() {
        assert_eq!((up(0, 10), up(5, 10), up(10, 10), up(0, 0)), (140, 77, 14, 140));
        assert_eq!(up(1, u64::MAX), 140);
        let columns = Columns::of(30);
        let last = columns.rect(29, "good", (0, 1), 0);
        assert!(
            last.x + last.width <= WIDE && columns.rect(1, "good", (0, 1), 0).x > columns.rect(0, "good", (0, 1), 0).x
        );
    }
}
