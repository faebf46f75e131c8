//! Tables, durations and numbers.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// A table under construction. Columns whose title begins with `>` are aligned to the right.
pub(super) struct Sheet {
    table: Table,
    columns: usize,
}

impl Sheet {
    pub(super) fn new(titles: &[&str]) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(titles.iter().map(|title| title.trim_start_matches('>')));
        for (column, title) in table.column_iter_mut().zip(titles) {
            column.set_padding((0, 2));
            if title.starts_with('>') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self { table, columns: titles.len() }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.columns);
        self.table.add_row(cells);
    }

    /// The table as lines without trailing blanks.
    pub(super) fn finish(self) -> String {
        self.table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }
}

/// `-` for what is not known.
pub(super) fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Seconds as the two largest units: `59s`, `3m20s`, `23h58m`, `5d1h`.
pub(super) fn duration(seconds: u64) -> String {
    let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')];
    let Some(first) = units.iter().position(|(size, _)| seconds >= *size) else {
        return "0s".to_owned();
    };
    let (size, name) = units[first];
    let mut text = format!("{}{name}", seconds / size);
    if let Some((below, name)) = units.get(first + 1)
        && seconds % size / below > 0
    {
        text += &format!("{}{name}", seconds % size / below);
    }
    text
}

/// A rate with a decimal prefix: `1.50 M`.
pub(super) fn scaled(value: f64) -> String {
    for (size, prefix) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] {
        if value >= size {
            return format!("{:.2} {prefix}", value / size);
        }
    }
    format!("{value:.0} ")
}

/// Said below a list that was cut.
pub(super) fn cut(truncated: bool, shown: usize, total: u64) -> String {
    if truncated {
        format!("... {shown} shown, {total} in all; use --limit, or name an EID or prefix\n")
    } else {
        String::new()
    }
}

pub(super) fn yes(flag: bool) -> String {
    if flag { "yes" } else { "no" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        let cases = [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (200, "3m20s"),
            (86_339, "23h58m"),
            (86_400, "1d"),
            (435_601, "5d1h"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn rates_have_prefixes() {
        assert_eq!(
            [scaled(0.4), scaled(999.0), scaled(1500.0), scaled(2e6), scaled(3.14e10)],
            ["0 ", "999 ", "1.50 k", "2.00 M", "31.40 G"]
        );
    }
}
