use std::path::PathBuf;

use bitcoin::hex::{DisplayHex as _, FromHex as _};
use roastery_libp2p::Whereabouts;
use roastery_protocol::group::PeerId;
use serde::{Deserialize, Serialize};

use super::{
    card::{CardError, MAX_CARD, WrittenWhereabouts},
    error::FolderError,
    folder::Folder,
    write::Access,
};

/// The latest addresses of other nodes: a file for each peer, in a folder of their own.
///
/// The addresses are signed, so a file that was changed is refused when it is read.
#[derive(Clone, Debug)]
pub struct PeerFiles(Folder);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    peer: String,
    whereabouts: WrittenWhereabouts,
}

impl PeerFiles {
    /// The peer files of a node's folder.
    pub fn of(folder: &Folder) -> Self {
        Self(Folder::new(folder.peers()))
    }

    /// Reads all of them: the addresses of each peer, or which file is invalid and why.
    pub fn read(&self) -> impl Iterator<Item = Result<Whereabouts, (PathBuf, String)>> {
        let files = std::fs::read_dir(self.0.path()).into_iter().flatten();
        let paths = files.filter_map(Result::ok).map(|file| file.path());
        // A file with another ending is left over from an interrupted write.
        let paths = paths.filter(|path| path.extension().is_some_and(|ending| ending == "toml"));
        paths.map(|path| {
            let text = Folder::read_own_text(&path, MAX_CARD).map_err(|error| error.to_string());
            text.and_then(|text| parse(&text).map_err(|error| error.to_string()))
                .map_err(|error| (path, error))
        })
    }

    /// Stores the addresses of a peer, in place of its earlier ones.
    ///
    /// # Errors
    ///
    /// [`FolderError::Io`].
    pub fn keep(&self, whereabouts: &Whereabouts) -> Result<(), FolderError> {
        self.0.create()?;
        let peer = whereabouts.peer().as_bytes().to_lower_hex_string();
        let path = self.0.resolve(format!("{peer}.toml"));
        let file = File { peer, whereabouts: WrittenWhereabouts::of(whereabouts) };
        let text = toml::to_string(&file).expect("strings, numbers below 2^63 and lists are TOML");
        Folder::replace(&path, text.as_bytes(), Access::Owner)
    }
}

fn parse(text: &str) -> Result<Whereabouts, CardError> {
    let File { peer, whereabouts } = toml::from_str(text)?;
    let peer = Vec::<u8>::from_hex(&peer).ok().and_then(|bytes| PeerId::new(bytes).ok());
    let allowed = "the name of a peer in hexadecimal digits";
    whereabouts.read(peer.ok_or(CardError::Field { field: "peer", allowed })?)
}
