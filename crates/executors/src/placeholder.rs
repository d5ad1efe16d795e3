//! `${name}` inside one value. Never a shell, never a second pass: what was put in is not read again.

use std::collections::BTreeMap;

/// What names stand for. A missing map or value is an error at its use, not an empty text.
#[derive(Default)]
pub(crate) struct Values<'a> {
    pub artifact: Option<&'a str>,
    pub port: Option<u16>,
    pub dir: Option<&'a str>,
    pub version: &'a str,
    pub variables: Option<&'a BTreeMap<String, String>>,
    pub config: Option<&'a BTreeMap<String, String>>,
    pub secrets: Option<&'a BTreeMap<String, String>>,
}

impl Values<'_> {
    fn look_up(&self, name: &str) -> Option<String> {
        let of = |map: Option<&BTreeMap<String, String>>, key: &str| map.and_then(|m| m.get(key)).cloned();
        match name {
            "artifact" => self.artifact.map(str::to_owned),
            "port" => self.port.map(|p| p.to_string()),
            "dir" => self.dir.map(str::to_owned),
            "version" => Some(self.version.to_owned()),
            _ => match name.split_once('.') {
                Some(("env", key)) => of(self.variables, key),
                Some(("config", key)) => of(self.config, key),
                Some(("secret", key)) => of(self.secrets, key),
                _ => None,
            },
        }
    }

    fn is_ours(name: &str) -> bool {
        matches!(name, "artifact" | "port" | "dir" | "version")
            || ["env.", "config.", "secret."].iter().any(|prefix| name.starts_with(prefix))
    }

    /// Replaces our placeholders; `${anything else}` stays as it is (a configuration file may have its own).
    pub fn expand(&self, text: &str) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            out.push_str(&rest[..at]);
            let tail = &rest[at + 2..];
            match tail.find('}').map(|end| &tail[..end]).filter(|name| Self::is_ours(name)) {
                Some(name) => {
                    let value = self.look_up(name).ok_or_else(|| format!("nothing is known for ${{{name}}}"))?;
                    out.push_str(&value);
                    rest = &tail[name.len() + 1..];
                }
                None => {
                    out.push_str("${");
                    rest = tail;
                }
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    pub fn expand_all(&self, texts: &[String]) -> Result<Vec<String>, String> {
        texts.iter().map(|text| self.expand(text)).collect()
    }

    pub fn expand_map(&self, map: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
        map.iter().map(|(key, text)| Ok((key.clone(), self.expand(text)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_replaced_once_and_unknown_ones_are_refused() {
        let config = BTreeMap::from([("a".to_owned(), "${version}".to_owned())]);
        let values = Values { port: Some(80), version: "1.0", config: Some(&config), ..Values::default() };
        for (text, expected) in [
            ("p=${port} v=${version}", Ok("p=80 v=1.0")),
            ("${config.a}", Ok("${version}")),
            ("${host} $port $${port}", Ok("${host} $port $80")),
            ("${", Ok("${")),
            ("${config.b}", Err("nothing is known for ${config.b}")),
            ("${dir}", Err("nothing is known for ${dir}")),
            ("${${port}}", Ok("${80}")),
        ] {
            assert_eq!(values.expand(text).as_deref().map_err(String::as_str), expected, "{text}");
        }
    }
}
