//! Reads of a compiled Java class what a schema can be made of: its methods, their types,
//! annotations.

use anyhow::{Context, Result, bail};

/// A class.
#[derive(Debug, Default)]
pub(crate) struct ClassFile {
    pub(crate) super_class: String,
    pub(crate) is_enum: bool,
    /// Every text in it, which are the constants' names and values if it is an enum.
    pub(crate) texts: Vec<String>,
    /// Names of its fields.
    pub(crate) fields: Vec<String>,
    pub(crate) methods: Vec<Method>,
    pub(crate) annotations: Vec<Annotation>,
}

/// A method that is neither static nor made by the compiler.
#[derive(Debug, Default)]
pub(crate) struct Method {
    pub(crate) name: String,
    /// With type parameters, if it has any: `()Ljava/util/List<Ljava/lang/String;>;`.
    pub(crate) signature: String,
    pub(crate) annotations: Vec<Annotation>,
}

/// An annotation, by the last part of its name.
#[derive(Debug)]
pub(crate) struct Annotation {
    pub(crate) name: String,
    pub(crate) values: Vec<(String, Element)>,
}

/// A value in an annotation.
#[derive(Debug)]
pub(crate) enum Element {
    Text(String),
    Integer(i64),
    Class(String),
    Annotation(Annotation),
    List(Vec<Element>),
    Other,
}

impl Annotation {
    pub(crate) fn get(&self, name: &str) -> Option<&Element> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Element::Text(text)) => Some(text),
            _ => None,
        }
    }
}

const STATIC: u16 = 0x0008;
const SYNTHETIC: u16 = 0x1000;
const ENUM: u16 = 0x4000;

enum Constant {
    Utf8(String),
    Integer(i64),
    /// A class or a text, by where its characters are.
    Class(usize),
    Text(usize),
    Other,
}

struct Reader<'a> {
    bytes: &'a [u8],
    constants: Vec<Constant>,
}

impl ClassFile {
    pub(crate) fn read(bytes: &[u8]) -> Result<ClassFile> {
        let mut reader = Reader { bytes, constants: vec![Constant::Other] };
        reader.take(8)?;
        reader.read_constants()?;
        let mut class = ClassFile { is_enum: reader.u16()? & ENUM != 0, ..ClassFile::default() };
        reader.u16()?;
        let index = reader.u16()?;
        class.super_class = reader.class_name(index.into());
        for _ in 0..reader.u16()? {
            reader.u16()?;
        }
        for _ in 0..reader.u16()? {
            let (_, field) = reader.member()?;
            class.fields.push(field.name);
        }
        for _ in 0..reader.u16()? {
            let (flags, method) = reader.member()?;
            if flags & (STATIC | SYNTHETIC) == 0 {
                class.methods.push(method);
            }
        }
        class.annotations = reader.attributes()?.1;
        for constant in &reader.constants {
            if let Constant::Text(index) = constant {
                class.texts.push(reader.utf8(*index)?);
            }
        }
        Ok(class)
    }
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count).context("a class is cut short")?;
        self.bytes = rest;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<u16> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from(self.u16()?) << 16 | u32::from(self.u16()?))
    }

    fn read_constants(&mut self) -> Result<()> {
        let count = usize::from(self.u16()?);
        while self.constants.len() < count {
            let tag = self.u8()?;
            let constant = match tag {
                1 => {
                    let length = usize::from(self.u16()?);
                    Constant::Utf8(String::from_utf8_lossy(self.take(length)?).into_owned())
                }
                3 => Constant::Integer(i64::from(self.u32()?.cast_signed())),
                7 => Constant::Class(self.u16()?.into()),
                8 => Constant::Text(self.u16()?.into()),
                16 | 19 | 20 => self.skip(2)?,
                15 => self.skip(3)?,
                4 | 9..=12 | 17 | 18 => self.skip(4)?,
                5 | 6 => self.skip(8)?,
                tag => bail!("a class has a constant of the unknown kind {tag}"),
            };
            self.constants.push(constant);
            // These count twice.
            if matches!(tag, 5 | 6) {
                self.constants.push(Constant::Other);
            }
        }
        Ok(())
    }

    fn skip(&mut self, count: usize) -> Result<Constant> {
        self.take(count)?;
        Ok(Constant::Other)
    }

    fn utf8(&self, index: usize) -> Result<String> {
        match self.constants.get(index) {
            Some(Constant::Utf8(text)) => Ok(text.clone()),
            _ => bail!("constant {index} of a class is no text"),
        }
    }

    fn class_name(&self, index: usize) -> String {
        match self.constants.get(index) {
            Some(Constant::Class(index)) => self.utf8(*index).unwrap_or_default(),
            _ => String::new(),
        }
    }

    fn utf8_here(&mut self) -> Result<String> {
        let index = self.u16()?;
        self.utf8(index.into())
    }

    fn member(&mut self) -> Result<(u16, Method)> {
        let flags = self.u16()?;
        let name = self.utf8_here()?;
        let descriptor = self.utf8_here()?;
        let (signature, annotations) = self.attributes()?;
        Ok((flags, Method { name, signature: signature.unwrap_or(descriptor), annotations }))
    }

    /// The signature and the annotations; everything else is passed over.
    fn attributes(&mut self) -> Result<(Option<String>, Vec<Annotation>)> {
        let (mut signature, mut annotations) = (None, Vec::new());
        for _ in 0..self.u16()? {
            let name = self.utf8_here()?;
            let length = self.u32()?;
            match name.as_str() {
                "Signature" => signature = Some(self.utf8_here()?),
                "RuntimeVisibleAnnotations" => {
                    for _ in 0..self.u16()? {
                        annotations.push(self.annotation()?);
                    }
                }
                _ => drop(self.take(usize::try_from(length)?)?),
            }
        }
        Ok((signature, annotations))
    }

    fn annotation(&mut self) -> Result<Annotation> {
        let name = self.utf8_here()?;
        let name = name.trim_end_matches(';').rsplit('/').next().unwrap_or_default().to_owned();
        let mut values = Vec::new();
        for _ in 0..self.u16()? {
            values.push((self.utf8_here()?, self.element()?));
        }
        Ok(Annotation { name, values })
    }

    fn element(&mut self) -> Result<Element> {
        Ok(match self.u8()? {
            b's' => Element::Text(self.utf8_here()?),
            b'c' => Element::Class(self.utf8_here()?),
            b'@' => Element::Annotation(self.annotation()?),
            b'[' => {
                let count = self.u16()?;
                Element::List((0..count).map(|_| self.element()).collect::<Result<_>>()?)
            }
            b'e' => {
                self.take(4)?;
                Element::Other
            }
            _ => {
                let index = usize::from(self.u16()?);
                match self.constants.get(index) {
                    Some(Constant::Integer(number)) => Element::Integer(*number),
                    _ => Element::Other,
                }
            }
        })
    }
}
