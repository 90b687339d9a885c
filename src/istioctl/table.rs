//! istioctl's tables.

use crate::base::tabs;

/// Rows of cells as text: each column but the last is as wide as its widest cell and `padding` more.
pub fn write(rows: &[Vec<String>], padding: usize) -> String {
    let lines: String = rows.iter().map(|row| row.join("\t") + "\n").collect();
    tabs::align(&lines, 0, padding)
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
