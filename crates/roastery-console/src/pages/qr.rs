//! QR codes of addresses.

use std::fmt::Write as _;

use maud::{Markup, html};
use qrcode::{Color, EcLevel, QrCode};

/// The free margin that readers need, in modules.
const MARGIN: usize = 4;

/// The code of an address; nothing if it is too long for one. Letters of the address in capitals
/// make a smaller code, which wallets read the same for addresses of bech32.
pub(super) fn qr(address: &str) -> Markup {
    let text = format!("BITCOIN:{}", address.to_ascii_uppercase());
    let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::M) else {
        return html! {};
    };
    let width = code.width();
    let mut path = String::new();
    for (at, module) in code.to_colors().into_iter().enumerate() {
        if module == Color::Dark {
            let (x, y) = (at % width + MARGIN, at / width + MARGIN);
            // Writing into a string does not fail.
            let _ = write!(path, "M{x} {y}h1v1h-1z");
        }
    }
    let all = width + 2 * MARGIN;
    html! {
        svg.qr viewBox={ "0 0 " (all) " " (all) } role="img" aria-label="QR code of the address" shape-rendering="crispEdges" {
            rect width=(all) height=(all) fill="#fff" {}
            path d=(path) fill="#000" {}
        }
    }
}
