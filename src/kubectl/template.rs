//! Go templates (`-o go-template`): the language of text/template with kubectl's functions, on an object.

mod functions;
mod lex;
mod parse;
mod printf;
mod run;
pub mod value;

use serde_json::Value;

/// A template that has been read.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    text: String,
    tree: parse::Tree,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// Go's sentence with the line.
    pub fn parse(text: &str) -> Result<Template, String> {
        Ok(Template { text: text.to_string(), tree: parse::parse(text)? })
    }

    /// Runs it on an object; `strict` makes a missing key an error.
    ///
    /// # Errors
    /// What was written up to then, and Go's sentence with the place.
    pub fn run(&self, object: &Value, strict: bool) -> Result<String, (String, String)> {
        let mut run = run::Run::new(&self.text, &self.tree, object, strict);
        match run.whole(object) {
            Ok(()) => Ok(run.out),
            Err(what) => Err((run.out, what)),
        }
    }
}

#[cfg(test)]
mod tests;
