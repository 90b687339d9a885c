//! Elastic tab stops, as Go's text/tabwriter sets them: a column is a run of consecutive lines that have a cell there, and is as
//! wide as its widest cell. The last cell of a line belongs to no column.

/// Aligns text whose cells end with tabs; columns are at least `min` wide and separated by `pad` blanks.
pub fn align(text: &str, min: usize, pad: usize) -> String {
    let lines: Vec<Vec<&str>> = text.split('\n').map(|line| line.split('\t').collect()).collect();
    let mut out = String::with_capacity(text.len() * 2);
    let mut widths = Vec::new();
    let mut writer = Writer { lines: &lines, min, pad, out: &mut out };
    writer.format(&mut widths, 0, lines.len());
    out
}

/// kubectl describe: columns of any width, two blanks between.
pub fn describe(text: &str) -> String {
    align(text, 0, 2)
}

struct Writer<'a> {
    lines: &'a [Vec<&'a str>],
    min: usize,
    pad: usize,
    out: &'a mut String,
}

impl Writer<'_> {
    fn format(&mut self, widths: &mut Vec<usize>, start: usize, end: usize) {
        let column = widths.len();
        let (mut written, mut this) = (start, start);
        while this < end {
            if column + 1 >= self.lines[this].len() {
                this += 1;
                continue;
            }
            self.write(widths, written, this);
            let block = this;
            let mut width = self.min;
            while this < end && column + 1 < self.lines[this].len() {
                width = width.max(self.lines[this][column].chars().count() + self.pad);
                this += 1;
            }
            widths.push(width);
            self.format(widths, block, this);
            widths.pop();
            written = this;
        }
        self.write(widths, written, end);
    }

    fn write(&mut self, widths: &[usize], start: usize, end: usize) {
        for (index, line) in self.lines[start..end].iter().enumerate() {
            for (column, cell) in line.iter().enumerate() {
                self.out.push_str(cell);
                if let Some(width) = widths.get(column).filter(|_| column + 1 < line.len()) {
                    let blanks = width.saturating_sub(cell.chars().count());
                    self.out.extend(std::iter::repeat_n(' ', blanks));
                }
            }
            if start + index + 1 < self.lines.len() {
                self.out.push('\n');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_end_where_a_line_has_no_cell() {
        let rows = [
            ("a:\tb\nccc:\td\n", "a:    b\nccc:  d\n"),
            ("IP:\t1.2\nEnd\nLonger label:\tx\n", "IP:  1.2\nEnd\nLonger label:  x\n"),
            ("IPs:\n  IP:\t1\nControlled By:\tR\n", "IPs:\n  IP:           1\nControlled By:  R\n"),
            ("  A:\t1\t2\n  Bbbb:\t33\t4\n", "  A:     1   2\n  Bbbb:  33  4\n"),
            ("x\t\n", "x  \n"),
        ];
        for (text, want) in rows {
            assert_eq!(describe(text), want);
        }
    }

    #[test]
    fn tables_are_at_least_six_wide() {
        assert_eq!(align("A\tB\n1\t2\n", 6, 3), "A     B\n1     2\n");
    }
}
