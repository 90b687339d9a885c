//! Tables as Go's text/tabwriter pads them with spaces.

/// Rows of cells as text: each column but the last is as wide as its widest cell and `padding` more.
pub fn write(rows: &[Vec<String>], padding: usize) -> String {
    let columns = rows.iter().map(|row| row.len().saturating_sub(1)).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0) + padding).collect();
    let mut out = String::new();
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            out.push_str(cell);
            if at + 1 < row.len() {
                (cell.chars().count()..widths[at]).for_each(|_| out.push(' '));
            }
        }
        out.push('\n');
    }
    out
}

/// A row of texts.
pub fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_string).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [row(["NAME", "B", "C"]), row(["é", "", "last"]), row(["longer", "x", ""])];
        assert_eq!(write(&rows, 1), "NAME   B C\né        last\nlonger x \n");
    }
}
