//! Roles: what a grant gives. Each gives what the ones before it give.

/// What somebody may do with a file, with a folder and everything below it, or with a bucket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// Reads content and names.
    Viewer,
    /// Changes files and folders, too.
    Editor,
    /// Does what the owner of the bucket may do there.
    Owner,
}

#[cfg(test)]
mod tests {
    use super::Role;

    #[test]
    fn a_later_role_gives_more() {
        assert!(Role::Viewer < Role::Editor && Role::Editor < Role::Owner);
    }
}
