//! Paths that must not collide, on any file system.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::names::fold;

/// The paths that were seen, one segment below the other.
#[derive(Default)]
pub(super) struct Tree<'a> {
    nodes: HashMap<(usize, String), Node<'a>>,
}

struct Node<'a> {
    id: usize,
    spelt: &'a str,
    folder: bool,
}

impl<'a> Tree<'a> {
    /// Adds a path. Two that some file system would take for one are refused.
    pub(super) fn add(&mut self, path: &'a str, folder: bool) -> Result<(), String> {
        let mut at = 0;
        let mut segments = path.split('/').peekable();
        while let Some(segment) = segments.next() {
            let folder = folder || segments.peek().is_some();
            let id = self.nodes.len() + 1;
            let node = self.nodes.entry((at, fold(segment)));
            let known = matches!(node, Entry::Occupied(_));
            let node = node.or_insert(Node { id, spelt: segment, folder });
            if node.spelt != segment {
                return Err(format!("collides with {} where case is ignored", node.spelt.escape_debug()));
            }
            if node.folder != folder {
                return Err("is both a file and a folder".to_owned());
            }
            if known && !folder {
                return Err("is there twice".to_owned());
            }
            at = node.id;
        }
        Ok(())
    }
}
