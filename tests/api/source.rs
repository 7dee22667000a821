//! Which file of a crate uses what another file defines, read from the tokens of the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// A path of modules or to an item, in segments.
type Segments = Vec<String>;

/// The items that files use of each other: the file that uses, the file that defines, and the names of the items.
type Uses = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

/// The words that the name of an item follows.
const DEFINING: [&str; 9] =
    ["const", "enum", "fn", "macro_rules", "static", "struct", "trait", "type", "union"];

/// A crate: its modules without those that only tests have.
pub(crate) struct SourceTree {
    modules: BTreeMap<Segments, Module>,
}

#[derive(Default)]
struct Module {
    file: PathBuf,
    /// The names of the items that the file defines.
    defines: BTreeSet<String>,
    /// The names that `use` brings in, with the path of each.
    imports: BTreeMap<String, Segments>,
    /// The paths that the code names: all but those of `pub use`.
    paths: BTreeSet<Segments>,
}

impl SourceTree {
    /// Reads the crate with this root, its `lib.rs` or `main.rs`. `read` returns the text of a file, `None` if there is
    /// no such file.
    pub(crate) fn read(root: &Path, read: &dyn Fn(&Path) -> Option<String>) -> Self {
        let mut tree = SourceTree { modules: BTreeMap::new() };
        let text = read(root).expect("the root of the crate");
        let directory = root.parent().expect("a directory");
        tree.add_file(Vec::new(), root.to_owned(), directory, &text, read);
        tree
    }

    fn add_file(
        &mut self,
        module: Segments,
        file: PathBuf,
        directory: &Path,
        text: &str,
        read: &dyn Fn(&Path) -> Option<String>,
    ) {
        let tokens =
            text.parse::<TokenStream>().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut flat = Vec::new();
        flatten(tokens, &mut flat);
        let (parsed, children) = parse(&flat, file);
        self.modules.insert(module.clone(), parsed);
        for child in children {
            let inner = directory.join(&child);
            let files = [inner.with_extension("rs"), inner.join("mod.rs")];
            let found = files.iter().find_map(|file| Some((file.clone(), read(file)?)));
            let (file, text) = found.unwrap_or_else(|| panic!("there is no file of the module {child}"));
            self.add_file([&module[..], &[child]].concat(), file, &inner, &text, read);
        }
    }

    /// The groups of files that use each other in a circle, each with the items that its files use of each other.
    pub(crate) fn circles(&self) -> Vec<Uses> {
        let uses = self.uses();
        let mut circles = Vec::new();
        let mut placed = BTreeSet::new();
        for file in uses.keys() {
            let reached = reachable(&uses, file);
            let members: BTreeSet<PathBuf> =
                reached.into_iter().filter(|other| reachable(&uses, other).contains(file)).collect();
            if members.len() > 1 && placed.insert(members.clone()) {
                let mut circle = uses.clone();
                circle.retain(|file, _| members.contains(file));
                circle.values_mut().for_each(|used| used.retain(|file, _| members.contains(file)));
                circles.push(circle);
            }
        }
        circles
    }

    fn uses(&self) -> Uses {
        let mut uses = Uses::new();
        for (name, module) in &self.modules {
            for path in &module.paths {
                if let Some((file, item)) = self.resolve(name, path, 0)
                    && file != module.file
                {
                    let used = uses.entry(module.file.clone()).or_default();
                    used.entry(file.to_owned()).or_default().insert(item);
                }
            }
        }
        uses
    }

    /// The file that defines what a path in a module leads to, and the name of the item. `None` for a module, for an item that
    /// another crate defines, and for an import that leads to itself, as that of a crate does.
    fn resolve(&self, from: &[String], path: &[String], followed: usize) -> Option<(&Path, String)> {
        let mut name = from.to_vec();
        for (at, segment) in path.iter().enumerate() {
            let module = self.modules.get(&name).filter(|_| followed < 10)?;
            let child = [&name[..], std::slice::from_ref(segment)].concat();
            match segment.as_str() {
                "crate" => name.clear(),
                "self" => {}
                "super" => drop(name.pop()),
                _ if at + 1 == path.len() && module.defines.contains(segment) => {
                    return Some((&module.file, segment.clone()));
                }
                _ if self.modules.contains_key(&child) => name = child,
                _ if module.defines.contains(segment) => return Some((&module.file, segment.clone())),
                _ => {
                    let target = [module.imports.get(segment)?, &path[at + 1..]].concat();
                    return self.resolve(&name, &target, followed + 1);
                }
            }
        }
        None
    }
}

fn reachable(uses: &Uses, start: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open = vec![start.to_owned()];
    while let Some(file) = open.pop() {
        for used in uses.get(&file).into_iter().flat_map(BTreeMap::keys) {
            if found.insert(used.clone()) {
                open.push(used.clone());
            }
        }
    }
    found
}

/// Appends the tokens as words, `::` and `..` as one, without comments and without the items behind `#[cfg(test)]`.
fn flatten(tokens: TokenStream, flat: &mut Vec<String>) {
    let mut tokens = tokens.into_iter();
    let mut joined = false;
    while let Some(token) = tokens.next() {
        let was_joined = std::mem::take(&mut joined);
        match token {
            TokenTree::Group(group) if group.to_string().replace(' ', "") == "[cfg(test)]" => {
                let ends_item = |token: TokenTree| match token {
                    TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                    token => token.to_string() == ";",
                };
                tokens.by_ref().find(|token| ends_item(token.clone()));
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    _ => ("(", ")"),
                };
                flat.push(open.to_owned());
                flatten(group.stream(), flat);
                flat.push(close.to_owned());
            }
            TokenTree::Punct(punct) => {
                joined = punct.spacing() == Spacing::Joint && matches!(punct.as_char(), ':' | '.');
                match flat.last_mut() {
                    Some(last) if was_joined && *last == punct.to_string() => last.push(punct.as_char()),
                    _ => flat.push(punct.to_string()),
                }
            }
            token => flat.push(token.to_string()),
        }
    }
}

/// The items and paths of a file, and the modules whose files it names.
fn parse(flat: &[String], file: PathBuf) -> (Module, Segments) {
    let mut module = Module { file, ..Module::default() };
    let mut children = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    let word = |at: usize| flat.get(at).map_or("", String::as_str);
    while at < flat.len() {
        let before = at.checked_sub(1).map_or("", word);
        match (word(at), word(at + 1), word(at + 2)) {
            ("{" | "(" | "[", ..) => depth += 1,
            ("}" | ")" | "]", ..) => depth -= 1,
            ("mod", name, ";") => children.push(name.to_owned()),
            ("use", name, _) if name != "<" => {
                let mut found = Vec::new();
                at += 1;
                use_tree(flat, &mut at, Vec::new(), &mut found);
                // `pub use` and `pub(crate) use` alone hand a name on.
                if !matches!(before, "pub" | ")") {
                    module.paths.extend(found.iter().map(|(_, path)| path.clone()));
                }
                module.imports.extend(found);
            }
            (word, ..) if !is_name(word) || matches!(before, "." | "::" | "'") => {}
            ("macro_rules", "!", name) => drop(module.defines.insert(name.to_owned())),
            (word, name, _) if DEFINING.contains(&word) && is_name(name) && depth == 0 => {
                module.defines.insert(name.to_owned());
            }
            _ if DEFINING.contains(&before) => {}
            (first, ..) => {
                let mut path = vec![first.to_owned()];
                while word(at + 1) == "::" && is_name(word(at + 2)) {
                    path.push(word(at + 2).to_owned());
                    at += 2;
                }
                module.paths.insert(path);
            }
        }
        at += 1;
    }
    (module, children)
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// Appends the names that a `use` brings in, with their paths, and leaves `at` on the token behind it.
fn use_tree(flat: &[String], at: &mut usize, mut path: Segments, found: &mut Vec<(String, Segments)>) {
    loop {
        match flat[*at].as_str() {
            "{" => {
                *at += 1;
                while flat[*at] != "}" {
                    use_tree(flat, at, path.clone(), found);
                    *at += usize::from(flat[*at] == ",");
                }
                *at += 1;
                return;
            }
            "," | "}" | ";" => break,
            "as" => {
                found.push((flat[*at + 1].clone(), path));
                *at += 2;
                return;
            }
            // A path that begins with `::` is one of another crate; the empty segment leads nowhere.
            "::" if path.is_empty() => path.push(String::new()),
            "self" if !path.is_empty() => {}
            "::" => {}
            segment => path.push(segment.to_owned()),
        }
        *at += 1;
    }
    if let Some(name) = path.last() {
        found.push((name.clone(), path));
    }
}
