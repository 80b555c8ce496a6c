//! Folders of tests. They end with the test, whatever its result.

use std::{
    fs,
    ops::Deref,
    path::{Path, PathBuf},
};

/// A folder of a test's own. It is declared before the processes that use it, so that it is removed
/// when these have ended.
pub(crate) struct TestFolder(PathBuf);

/// An empty one; short, because the path of a socket must be.
pub(crate) fn fresh_folder(name: &str) -> TestFolder {
    let folder = std::env::temp_dir().join(format!("roastery-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    TestFolder(folder)
}

impl Deref for TestFolder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for TestFolder {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_folder_of_a_test_is_removed_at_its_end_whatever_its_result() {
    let path = fresh_folder("removed").to_owned();
    assert!(!path.exists());
    let failed = std::panic::catch_unwind(|| {
        let folder = fresh_folder("removed");
        fs::write(folder.join("file"), "").unwrap();
        std::panic::resume_unwind(Box::new(folder.exists()));
    });
    assert!(*failed.unwrap_err().downcast::<bool>().unwrap() && !path.exists());
}
