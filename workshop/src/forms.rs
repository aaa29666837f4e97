//! Lines grouped by what they have in common.

use crate::template::{Parsed, Source, columns, mine};

/// Lines of one form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// What they have in common, with `*` where they differ.
    pub text: String,
    /// The numbers of the lines, from 0.
    pub lines: Vec<usize>,
}

/// Groups lines by their forms, the form of most lines first. Lines without a word have none.
pub fn forms(lines: &[&str]) -> Vec<Form> {
    let sources: Vec<Source<'_>> = lines.iter().map(|line| Source::of(line)).collect();
    let parsed: Vec<Parsed<'_>> = sources.iter().map(Parsed::of).collect();
    let mut forms: Vec<Form> = mine(&parsed)
        .into_iter()
        .map(|template| {
            let first = &parsed[template.lines[0]];
            let mut text = String::new();
            let mut at = first.words.span(first.message).start;
            for column in columns(&parsed, &template) {
                let span = first.span_of(column.place);
                if column.place.chunk < 0 || column.is_constant() || span.start < at {
                    continue;
                }
                text.push_str(&first.words.line[at..span.start]);
                text.push('*');
                at = span.end;
            }
            text.push_str(&first.words.line[at..]);
            Form { text: text.replace('\n', " "), lines: template.lines }
        })
        .collect();
    // Of forms of as many lines, the one that came first stays first.
    forms.sort_by_key(|form| std::cmp::Reverse(form.lines.len()));
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_grouped() {
        let lines = [
            "10:00:00 INFO cache cold",
            "10:00:01 INFO job j-1 took 5 ms",
            "10:00:02 INFO job j-22 took 7 ms",
            "",
        ];
        let forms = forms(&lines);
        let shown: Vec<(&str, &[usize])> =
            forms.iter().map(|form| (&*form.text, &*form.lines)).collect();
        assert_eq!(shown, [("job * took * ms", &[1, 2][..]), ("cache cold", &[0])]);
    }
}
