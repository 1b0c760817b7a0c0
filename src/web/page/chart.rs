//! A chart as its template draws it: places in units of a drawing that is as wide as the page, and the same as a table.

use super::frame::Frame;
use crate::texts;

/// The width of a drawing.
pub(super) const WIDE: usize = 480;
/// Room for what stands at the lines.
const LEFT: usize = 64;
/// Where the lowest line lies, unless a chart says otherwise.
pub(super) const FOOT: usize = 140;
/// Room above the highest column.
const HEAD: usize = 14;

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
    /// A sign on it: what it is is told by more than a colour.
    pub sign: Option<Label>,
    pub link: Option<Link>,
}

impl Group {
    pub(super) fn new(title: String, rects: Vec<Rect>) -> Group {
        Group { title, rects, sign: None, link: None }
    }
}

/// Where a group leads. All of a chart's are one stop of the keys, from which arrows lead on.
pub(super) struct Link {
    pub place: String,
    /// Its number among all, by which arrows find it.
    pub number: usize,
    pub is_stop: bool,
}

/// A line of the table.
pub(super) struct Row {
    pub link: Option<String>,
    pub cells: Vec<String>,
}

impl From<Vec<String>> for Row {
    fn from(cells: Vec<String>) -> Row {
        Row { link: None, cells }
    }
}

#[derive(Clone)]
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
    pub width: usize,
    pub height: usize,
    /// Where its lines begin.
    pub left: usize,
    pub lines: Vec<Line>,
    pub labels: Vec<Label>,
    pub groups: Vec<Group>,
    pub legend: Vec<(&'static str, String)>,
    pub heads: Vec<String>,
    pub rows: Vec<Row>,
}

/// The places of so many columns beside each other.
pub(super) struct Columns {
    left: usize,
    step: usize,
}

impl Columns {
    pub(super) fn of(count: usize) -> Columns {
        Columns { left: LEFT, step: (WIDE - LEFT) / count.max(1) }
    }

    /// From the left edge on, each so wide.
    pub(super) fn wide(step: usize) -> Columns {
        Columns { left: 0, step }
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
        Rect { class, x: self.left + column * self.step + 1 + narrower, y, width, height }
    }

    /// What stands under a column.
    pub(super) fn label(&self, column: usize, text: String) -> Label {
        self.label_under(column, FOOT, text)
    }

    /// What stands under a column of which the lowest line lies there.
    pub(super) fn label_under(&self, column: usize, foot: usize, text: String) -> Label {
        Label { x: self.left + column * self.step + self.step / 2, y: foot + 16, anchor: "middle", text }
    }
}

impl Chart {
    pub(super) fn new(id: &'static str, title: String) -> Chart {
        Chart {
            id,
            title,
            note: String::new(),
            width: WIDE,
            height: FOOT + 22,
            left: LEFT,
            lines: Vec::new(),
            labels: Vec::new(),
            groups: Vec::new(),
            legend: Vec::new(),
            heads: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Whether it leads anywhere: then it is no picture.
    pub(super) fn leads(&self) -> bool {
        self.groups.iter().any(|group| group.link.is_some())
    }

    /// A line across, and what it stands for.
    pub(super) fn line(&mut self, y: usize, text: String) {
        self.lines.push(Line { y });
        self.labels.push(Label { x: self.left - 6, y: y + 4, anchor: "end", text });
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
        self.line(up(most, most, FOOT), most.to_string());
        self.line(FOOT, "0".to_owned());
        let columns = Columns::of(days.len());
        for (column, (day, counts)) in days.into_iter().enumerate() {
            if column % 7 == 1 {
                self.labels.push(columns.label(column, day.get(5..).unwrap_or_default().to_owned()));
            }
            self.stack(&columns, column, kinds, day, &counts, (most, FOOT));
        }
    }

    /// One column of counts on top of each other, where the highest column has so many and all of them stand on that line;
    /// nothing where there are none.
    pub(super) fn stack(
        &mut self,
        columns: &Columns,
        column: usize,
        kinds: &[(&'static str, String)],
        name: String,
        counts: &[u64],
        (most, line): (u64, usize),
    ) {
        let mut foot = line;
        let mut rects = Vec::new();
        for ((class, _), count) in kinds.iter().zip(counts).filter(|(_, count)| **count > 0) {
            // What is there is seen, however little it is.
            let high = (line - up(*count, most, line)).max(2);
            foot = foot.saturating_sub(high);
            rects.push(columns.rect(column, class, (foot, high), 0));
        }
        if rects.is_empty() {
            return;
        }
        let told = counted(kinds.iter().map(|(_, word)| &**word).zip(counts.iter().copied()));
        self.groups.push(Group::new(format!("{name}: {told}"), rects));
        self.rows.push(std::iter::once(name).chain(counts.iter().map(u64::to_string)).collect::<Vec<_>>().into());
    }
}

/// `3 sent, 1 failed`: what there is none of is left out.
pub(super) fn counted<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> String {
    let told = counts.filter(|(_, count)| *count > 0).map(|(word, count)| format!("{count} {word}"));
    told.collect::<Vec<_>>().join(", ")
}

/// How far up from the lowest line a count comes of the most that there is.
fn up(count: u64, most: u64, foot: usize) -> usize {
    let high = (foot - HEAD) as u128 * u128::from(count) / u128::from(most.max(1));
    foot - usize::try_from(high).unwrap_or(0).min(foot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_high_as_its_count_and_what_is_little_is_seen() {
        assert_eq!((up(0, 10, 140), up(5, 10, 140), up(10, 10, 140), up(0, 0, 140)), (140, 77, 14, 140));
        assert_eq!(up(1, u64::MAX, 140), 140);
        let columns = Columns::of(30);
        let last = columns.rect(29, "good", (0, 1), 0);
        assert!(
            last.x + last.width <= WIDE && columns.rect(1, "good", (0, 1), 0).x > columns.rect(0, "good", (0, 1), 0).x
        );
    }
}
