//! Patterns: literal text with captures. `order <order> paid amount=<amount:number>`.

use crate::capture::CaptureType;

/// Most captures of one rule.
pub(crate) const MAX_CAPTURES: usize = 64;

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern {
    /// `^`: the match begins where the text begins.
    pub(crate) at_start: bool,
    /// `$`: the match ends where the text ends.
    pub(crate) at_end: bool,
    pub(crate) steps: Box<[Step]>,
    /// The literals of all steps, one after the other: with a thousand rules, the fewer places
    /// of memory are touched, the better.
    texts: Box<[u8]>,
}

/// One step of a match, left to right.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// These bytes.
    Literal(Literal),
    /// A capture whose end its type decides.
    Closed { kind: CaptureType, slot: Option<u8> },
    /// A capture that ends where the literal after it begins; the step includes the literal.
    Until { kind: CaptureType, slot: Option<u8>, literal: Literal },
    /// An open capture that ends the pattern.
    Last { kind: CaptureType, slot: Option<u8> },
}

/// The text of a step; [`Pattern::text`] gives it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Literal {
    start: u32,
    end: u32,
}

/// What is wrong with a pattern or template, at which bytes of it.
#[derive(Debug, PartialEq)]
pub(crate) struct PatternError {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) message: String,
    pub(crate) expected: Option<String>,
    /// The word written and the words that would be right.
    pub(crate) nearest: Option<(String, Vec<String>)>,
}

/// A piece of the one capture syntax that patterns and templates share.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece<'a> {
    Literal(String),
    Capture { name: &'a str, kind: Option<CaptureType>, start: usize, end: usize },
}

/// The names of a rule's captures, in the order of their slots.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(Vec<Box<str>>);

impl Names {
    pub(crate) fn slot(&self, name: &str) -> Option<u8> {
        self.0.iter().position(|known| **known == *name).map(|slot| slot as u8)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Gives a new capture its slot.
    pub(crate) fn add(&mut self, name: &str) -> Result<u8, String> {
        if self.slot(name).is_some() {
            return Err(format!("`<{name}>` is captured twice"));
        }
        if self.0.len() == MAX_CAPTURES {
            return Err(format!("more than {MAX_CAPTURES} captures in one rule"));
        }
        self.0.push(name.into());
        Ok((self.0.len() - 1) as u8)
    }
}

/// Splits text into literals and captures. `<<` stands for `<`.
pub(crate) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, PatternError> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        literal.push_str(&rest[..open]);
        let start = text.len() - rest.len() + open;
        rest = &rest[open + 1..];
        if let Some(after) = rest.strip_prefix('<') {
            literal.push('<');
            rest = after;
            continue;
        }
        let Some(close) = rest.find('>') else {
            return Err(error(start, text.len(), "`<` without `>`")
                .expected("expected `<name>`, `<name:type>` or, for the character itself, `<<`"));
        };
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(capture(&rest[..close], start, start + close + 2)?);
        rest = &rest[close + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

/// Reads what stands between `<` and `>`.
fn capture(inner: &str, start: usize, end: usize) -> Result<Piece<'_>, PatternError> {
    let (name, kind) = match inner.split_once(':') {
        None => (inner, None),
        Some((name, kind)) => match CaptureType::named(kind) {
            Some(known) => (name, Some(known)),
            None => {
                let kind_start = start + 1 + name.len() + 1;
                let names = CaptureType::names();
                let mut fault = error(
                    kind_start,
                    kind_start + kind.len(),
                    &format!("unknown capture type `{kind}`"),
                )
                .expected(&format!("expected one of {}", names.join(", ")));
                let names = names.into_iter().map(str::to_owned).collect();
                fault.nearest = Some((kind.to_owned(), names));
                return Err(fault);
            }
        },
    };
    if name.is_empty() {
        return Err(error(start, end, "a capture without a name")
            .expected("expected a name, `_` to discard it, or `<<` for the character `<`"));
    }
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.as_bytes()[0].is_ascii_digit();
    if !is_name {
        return Err(error(start, end, &format!("`{name}` cannot name a capture"))
            .expected("expected letters, digits and `_`, or `<<` for the character `<`"));
    }
    Ok(Piece::Capture { name, kind, start, end })
}

fn error(start: usize, end: usize, message: &str) -> PatternError {
    PatternError { start, end, message: message.to_owned(), expected: None, nearest: None }
}

impl PatternError {
    fn expected(mut self, expected: &str) -> PatternError {
        self.expected = Some(expected.to_owned());
        self
    }
}

impl Pattern {
    /// Reads a pattern and gives its captures their slots. `whole` makes it match whole texts
    /// only, as the values of fields are matched.
    pub(crate) fn parse(
        text: &str,
        names: &mut Names,
        whole: bool,
    ) -> Result<Pattern, PatternError> {
        let (body, at_start, at_end) = split_anchors(text);
        let body_start = usize::from(at_start);
        let mut pieces = pieces(body).map_err(|fault| fault.shifted(body_start))?;
        undouble_anchors(&mut pieces, text);
        if pieces.is_empty() {
            return Err(error(0, text.len(), "the pattern is empty").expected(
                "expected text that the lines have in common, with captures such as `<id>`",
            ));
        }
        let mut texts = Vec::new();
        let steps = steps(&pieces, names, &mut texts).map_err(|fault| fault.shifted(body_start))?;
        Ok(Pattern {
            at_start: at_start || whole,
            at_end: at_end || whole,
            steps: steps.into(),
            texts: texts.into(),
        })
    }

    /// The pattern's first steps alone.
    pub(crate) fn beginning(&self, steps: usize, at_end: bool) -> Pattern {
        let steps = self.steps.iter().take(steps).cloned().collect();
        Pattern { at_start: self.at_start, at_end, steps, texts: self.texts.clone() }
    }

    /// The slots of the named captures with their types.
    pub(crate) fn captures(&self) -> impl Iterator<Item = (u8, CaptureType)> {
        self.steps.iter().filter_map(|step| match step {
            Step::Closed { kind, slot }
            | Step::Until { kind, slot, .. }
            | Step::Last { kind, slot } => slot.map(|slot| (slot, *kind)),
            Step::Literal(_) => None,
        })
    }

    /// The number of the step that holds a literal of [`Pattern::literals`].
    pub(crate) fn step_of_literal(&self, number: usize) -> Option<usize> {
        let mut steps =
            self.steps.iter().enumerate().filter(|(_, step)| self.literal(step).is_some());
        steps.nth(number).map(|(index, _)| index)
    }

    /// The texts that every match holds.
    pub(crate) fn literals(&self) -> impl Iterator<Item = &[u8]> {
        self.steps.iter().filter_map(|step| self.literal(step))
    }

    /// The text that a step of the pattern holds.
    pub(crate) fn literal(&self, step: &Step) -> Option<&[u8]> {
        match step {
            Step::Literal(literal) | Step::Until { literal, .. } => Some(self.text(*literal)),
            Step::Closed { .. } | Step::Last { .. } => None,
        }
    }

    /// The bytes of a literal of the pattern.
    pub(crate) fn text(&self, literal: Literal) -> &[u8] {
        self.texts.get(literal.start as usize..literal.end as usize).unwrap_or_default()
    }
}

impl PatternError {
    fn shifted(mut self, by: usize) -> PatternError {
        self.start += by;
        self.end += by;
        self
    }
}

/// Takes `^` off the front and `$` off the end, unless they are doubled.
fn split_anchors(text: &str) -> (&str, bool, bool) {
    let mut body = text;
    let at_start = body.starts_with('^') && !body.starts_with("^^");
    if at_start {
        body = &body[1..];
    }
    let at_end = body.ends_with('$') && !body.ends_with("$$");
    if at_end {
        body = &body[..body.len() - 1];
    }
    (body, at_start, at_end)
}

/// A doubled anchor stands for the character itself.
fn undouble_anchors(pieces: &mut Vec<Piece<'_>>, text: &str) {
    if text.starts_with("^^")
        && let Some(Piece::Literal(literal)) = pieces.first_mut()
    {
        literal.remove(0);
    }
    if text.ends_with("$$")
        && let Some(Piece::Literal(literal)) = pieces.last_mut()
    {
        literal.pop();
    }
    pieces.retain(|piece| *piece != Piece::Literal(String::new()));
}

/// The steps of a pattern, whose literals go to `texts`.
fn steps(
    pieces: &[Piece<'_>],
    names: &mut Names,
    texts: &mut Vec<u8>,
) -> Result<Vec<Step>, PatternError> {
    let mut steps = Vec::new();
    let mut rest = pieces.iter().peekable();
    while let Some(piece) = rest.next() {
        let (name, kind, start, end) = match piece {
            Piece::Literal(literal) => {
                steps.push(Step::Literal(add_text(literal, texts)));
                continue;
            }
            Piece::Capture { name, kind, start, end } => (*name, *kind, *start, *end),
        };
        let kind = kind.unwrap_or(CaptureType::Word);
        let slot = match name {
            "_" => None,
            _ => Some(names.add(name).map_err(|message| error(start, end, &message))?),
        };
        if !kind.is_open() {
            steps.push(Step::Closed { kind, slot });
            continue;
        }
        match rest.peek() {
            None => steps.push(Step::Last { kind, slot }),
            Some(_) if kind == CaptureType::Rest => {
                return Err(error(
                    start,
                    end,
                    &format!("`<{name}:rest>` takes everything to the end of the line"),
                )
                .expected("expected nothing after it; `any` ends at the text that follows"));
            }
            Some(Piece::Literal(literal)) => {
                steps.push(Step::Until { kind, slot, literal: add_text(literal, texts) });
                rest.next();
            }
            Some(Piece::Capture { name: next, .. }) => {
                return Err(error(
                    start,
                    end,
                    &format!("nothing says where `<{name}>` ends and `<{next}>` begins"),
                )
                .expected("expected some text between them"));
            }
        }
    }
    Ok(steps)
}

fn add_text(text: &str, texts: &mut Vec<u8>) -> Literal {
    let start = texts.len() as u32;
    texts.extend_from_slice(text.as_bytes());
    Literal { start, end: texts.len() as u32 }
}
