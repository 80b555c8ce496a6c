//! Alters the kits that a node keeps for the others, for `scripts/founding`: a member whose copies
//! do not open. The node must not run; its passphrase is in `ROASTERY_PASSPHRASE`.
//!
//! ```console
//! $ cargo run -p roastery --example altered_kits -- FOLDER/node.store
//! ```

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use roastery_store::{Passphrase, Store};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("the path of a node's store is missing")?;
    let passphrase = std::env::var("ROASTERY_PASSPHRASE")?;
    let store = Store::open(path, &Passphrase::new(passphrase))?;
    println!("{} kits are altered", store.alter_kept_kits()?);
    Ok(())
}
