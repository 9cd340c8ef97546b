//! The rules that an offer was held against, in the order they were asked in.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Result;
use crate::types::json::{Message, Object};

/// One rule and what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name: the policy's key where there is one.
    pub rule: &'static str,
    /// Whether the offer keeps it.
    pub passed: bool,
    /// Why, for a person.
    pub sentence: String,
}

impl Message for Rule {
    fn members(&self, to: &mut Object) {
        to.text("rule", self.rule).flag("passed", self.passed).text("sentence", &self.sentence);
    }
}

/// Every rule that was asked. The first that is not kept is the last one asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace(pub Vec<Rule>);

impl Trace {
    /// Writes down what a rule said: why it passed, or the refusal, which is handed on.
    ///
    /// # Errors
    /// The refusal.
    pub fn ask(&mut self, rule: &'static str, said: Result<impl Into<String>>) -> Result<()> {
        match said {
            Ok(sentence) => {
                self.0.push(Rule { rule, passed: true, sentence: sentence.into() });
                Ok(())
            }
            Err(error) => {
                self.0.push(Rule { rule, passed: false, sentence: error.message() });
                Err(error)
            }
        }
    }
}
