//! A document's state in its two forms: the noun that decisions work on, and the JSON text that is stored. Whichever there
//! is makes the other, once; copies share both.

use super::Noun;
use serde_json::Value;
use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// See the module.
#[derive(Clone)]
pub struct State(Arc<Forms>);

struct Forms {
    text: Box<str>,
    noun: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl State {
    /// As it was stored. Whether it is JSON of the right shape shows when it is read.
    pub fn stored(text: String) -> Self {
        Self(Arc::new(Forms { text: text.into(), noun: OnceLock::new() }))
    }

    /// Of a noun.
    ///
    /// # Errors
    /// The noun cannot be written as JSON.
    pub fn of<T: Noun>(noun: T) -> Result<Self, serde_json::Error> {
        let text = serde_json::to_string(&noun)?;
        // Whoever reads the document later must find what decisions now find here.
        #[cfg(debug_assertions)]
        {
            let again = serde_json::to_string(&serde_json::from_str::<T>(&text)?)?;
            assert_eq!(text, again, "a {} reads otherwise than it was written", T::KIND.name());
        }
        let known: Arc<dyn Any + Send + Sync> = Arc::new(noun);
        Ok(Self(Arc::new(Forms { text: text.into(), noun: OnceLock::from(known) })))
    }

    /// The JSON text.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The JSON value.
    ///
    /// # Errors
    /// The text is no JSON.
    pub fn value(&self) -> Result<Value, serde_json::Error> {
        serde_json::from_str(self.text())
    }

    /// The noun.
    ///
    /// # Errors
    /// The text is not this noun's.
    pub fn noun<T: Noun>(&self) -> Result<Arc<T>, serde_json::Error> {
        if let Some(known) = self.0.noun.get().and_then(|known| Arc::clone(known).downcast::<T>().ok()) {
            return Ok(known);
        }
        let read = Arc::new(serde_json::from_str::<T>(self.text())?);
        let shared: Arc<dyn Any + Send + Sync> = Arc::<T>::clone(&read);
        // Somebody else was as fast: one of both is kept.
        let _the_same = self.0.noun.set(shared);
        Ok(read)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// Equal as JSON: the order of members, and who wrote the text, do not matter.
impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text() || matches!((self.value(), other.value()), (Ok(one), Ok(two)) if one == two)
    }
}
