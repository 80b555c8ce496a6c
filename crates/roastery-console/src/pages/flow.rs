//! The picture of a payment: coins at the left, outputs and fee at the right, each band as thick as
//! its amount. The table below it says the same.

use std::cmp::Reverse;

use maud::{Markup, html};
use roastery_service::{
    view::PaymentDetails,
    words::{btc, short_address},
};

/// The most bands to others, and back; the rest is one band.
const MOST: usize = 4;

/// The measures of the picture, in its own units.
const ROW: u64 = 60;
const WIDTH: u64 = 600;
const LEFT: u64 = 180;
const RIGHT: u64 = 330;
const BAR: u64 = 8;

/// The thickness of all bands together, and the least of one.
const THICK: u64 = 120;
const THIN: u64 = 2;

/// The least distance of two bands.
const GAP: u64 = 16;

struct Band {
    kind: &'static str,
    amount: u64,
    what: String,
}

/// The picture of a payment.
pub(super) fn picture(payment: &PaymentDetails) -> Markup {
    let bands = bands(payment);
    let whole = bands.iter().fold(0_u64, |sum, band| sum.saturating_add(band.amount)).max(1);
    let thick = |amount: u64| {
        let part = u128::from(amount) * u128::from(THICK) / u128::from(whole);
        u64::try_from(part).unwrap_or(THICK).max(THIN)
    };
    // A thick band takes a higher row, so that no two of them touch.
    let tall = |amount: u64| ROW.max(thick(amount) + GAP);
    let height: u64 = bands.iter().map(|band| tall(band.amount)).sum::<u64>() + GAP;
    let all: u64 = bands.iter().map(|band| thick(band.amount)).sum();
    let top = height.saturating_sub(all) / 2;
    let coins = match payment.coins {
        1 => "1 coin".to_owned(),
        more => format!("{more} coins"),
    };
    let middle = height / 2;
    let (mut from, mut row) = (top, GAP / 2);
    html! {
        svg.flow viewBox={ "0 0 " (WIDTH) " " (height) } role="img" aria-labelledby="flow-title" {
            title #flow-title { (describe(payment, &bands)) }
            rect.coins x=(LEFT - BAR) y=(top) width=(BAR) height=(all) rx="2" {}
            text.left.strong x=(LEFT - BAR - 10) y=(middle - 4) { (btc(payment.spent)) }
            text.left x=(LEFT - BAR - 10) y=(middle + 18) { (coins) }
            @for band in &bands {
                @let (thick, tall) = (thick(band.amount), tall(band.amount));
                @let (start, center) = { let at = (from, row + tall / 2); from += thick; row += tall; at };
                @let to = center - (thick / 2).min(center);
                path class={ "band " (band.kind) } d=(ribbon(start, to, thick)) {}
                rect class={ "end " (band.kind) } x=(RIGHT) y=(to) width=(BAR) height=(thick) rx="2" {}
                text.strong x=(RIGHT + BAR + 10) y=(center - 4) { (btc(band.amount)) }
                text x=(RIGHT + BAR + 10) y=(center + 18) { (band.what) }
            }
        }
    }
}

fn ribbon(from: u64, to: u64, thick: u64) -> String {
    let bend = (LEFT + RIGHT) / 2;
    let (from_end, to_end) = (from + thick, to + thick);
    format!(
        "M{LEFT} {from}C{bend} {from} {bend} {to} {RIGHT} {to}V{to_end}\
         C{bend} {to_end} {bend} {from_end} {LEFT} {from_end}Z"
    )
}

/// The bands from the top: payments to others, what comes back, the fee.
fn bands(payment: &PaymentDetails) -> Vec<Band> {
    let of = |own: bool| {
        let outputs = payment.outputs.iter().filter(|output| output.own_path.is_some() == own);
        let mut outputs: Vec<_> = outputs.collect();
        outputs.sort_by_key(|output| Reverse(output.amount));
        let rest = outputs.split_off(outputs.len().min(MOST));
        (outputs, rest)
    };
    let mut bands = Vec::new();
    for (own, kind) in [(false, "pay"), (true, "back")] {
        let (shown, rest) = of(own);
        bands.extend(shown.iter().map(|output| Band {
            kind,
            amount: output.amount,
            what: match &output.own_path {
                Some(path) => format!("comes back, {}", short_address(path)),
                None => format!("to {}", short_address(&output.to)),
            },
        }));
        if !rest.is_empty() {
            let amount = rest.iter().fold(0_u64, |sum, one| sum.saturating_add(one.amount));
            let word = if own { "come back" } else { "payments" };
            bands.push(Band { kind, amount, what: format!("{} more {word}", rest.len()) });
        }
    }
    if let Some(fee) = payment.fee {
        bands.push(Band { kind: "fee", amount: fee, what: "fee".to_owned() });
    }
    bands
}

fn describe(payment: &PaymentDetails, bands: &[Band]) -> String {
    let parts: Vec<String> =
        bands.iter().map(|band| format!("{} {}", btc(band.amount), band.what)).collect();
    format!("Of {}: {}", btc(payment.spent), parts.join(", "))
}
