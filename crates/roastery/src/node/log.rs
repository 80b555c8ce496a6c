//! The audit log: shown, exported into a file, cut, and compared with a file.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, anyhow};
use bitcoin::{
    hashes::{HashEngine as _, sha256},
    hex::DisplayHex as _,
};
use clap::Args;
use roastery_service::{
    Time,
    api::Client,
    files::{Access, Folder},
    nothing_to_cut,
    text::to_json,
    too_young,
    view::{AuditLine, CutLog, LogCut, LogCuts, LogEntry},
};
use serde::Serialize;

use super::{
    At, ask, get, post,
    question::{asked, check_terminal},
    show,
};
use crate::{
    exported::{self, ExportFile, Verdict},
    files::check_new,
    output::remark,
    values::{self, Before},
    when,
};

#[derive(Args)]
pub(crate) struct Log {
    /// From this entry on
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = values::entry)]
    from: u64,
    /// Print it as JSON, an object a line
    #[arg(long)]
    json: bool,
    /// Write the entries into a new file instead, an object a line
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    export: Option<PathBuf>,
    /// Remove the entries before this one, or before the beginning of this day (2026-01-31), once
    /// the file has them; a record of what was cut stays
    #[arg(long, value_name = "NUMBER|DAY", value_parser = values::before)]
    #[arg(requires = "export", conflicts_with = "from")]
    cut_before: Option<Before>,
    /// Cut without asking, as scripts must
    #[arg(long, requires = "cut_before")]
    yes: bool,
    /// Compare a file that was exported with the records of what was cut
    #[arg(long, value_name = "FILE", conflicts_with_all = ["export", "json", "from"])]
    check: Option<PathBuf>,
}

/// Entries that were written into a file.
struct Exported {
    first: AuditLine,
    last: AuditLine,
    /// The hash of their lines.
    lines: sha256::HashEngine,
}

pub(super) fn log(at: &At, options: &Log) -> anyhow::Result<ExitCode> {
    match (&options.check, &options.export, options.cut_before) {
        (Some(file), _, _) => check(at, file),
        (None, Some(file), None) => export(at, file, options.from),
        (None, Some(file), Some(before)) => cut(at, file, before, options.yes),
        (None, None, _) => show_log(at, options),
    }
}

fn show_log(at: &At, options: &Log) -> anyhow::Result<ExitCode> {
    let client = at.client()?;
    let LogCuts { cuts, .. } = get(&client, "/v1/log/cuts")?;
    for cut in cuts.into_iter().filter(|cut| cut.last >= options.from) {
        if options.json {
            say_json(&CutLine { cut })?;
        } else {
            show::cut(&cut);
        }
    }
    let mut from = options.from;
    loop {
        let path = format!("/v1/log?from={from}");
        let entries: Vec<LogEntry> = get(&client, &path)?;
        let Some(last) = entries.last() else { return Ok(ExitCode::SUCCESS) };
        from = last.number + 1;
        for entry in &entries {
            if options.json {
                say_json(entry)?;
            } else {
                show::share(entry);
            }
        }
    }
}

/// A cut among entries.
#[derive(Serialize)]
struct CutLine {
    cut: LogCut,
}

fn say_json(value: &impl Serialize) -> anyhow::Result<()> {
    say!("{}", to_json(value)?);
    Ok(())
}

fn export(at: &At, file: &Path, from: u64) -> anyhow::Result<ExitCode> {
    check_new(file)?;
    match write(&at.client()?, file, from, |_| Ok(true))? {
        Some(Exported { first, last, .. }) => {
            let (first, last, file) = (first.number, last.number, file.display());
            say!("{file}: entries {first} to {last}");
            Ok(ExitCode::SUCCESS)
        }
        None => Err(anyhow!("the audit log has no entry from {from} on; nothing was written")),
    }
}

fn cut(at: &At, file: &Path, before: Before, yes: bool) -> anyhow::Result<ExitCode> {
    if !yes {
        check_terminal("cut with --yes")?;
    }
    check_new(file)?;
    let client = at.client()?;
    let LogCuts { begin, end, kept_since, .. } = get(&client, "/v1/log/cuts")?;
    if let Before::Entry(number) = before
        && (number <= begin || number > end)
    {
        return Err(anyhow!(nothing_to_cut(number, begin, end)));
    }
    let exported = write(&client, file, begin, |entry| {
        let wanted = match before {
            Before::Entry(number) => entry.number < number,
            Before::Time(time) => entry.time < time,
        };
        if wanted && entry.time >= kept_since {
            return Err(anyhow!(too_young(entry.number, entry.time)));
        }
        Ok(wanted)
    })?;
    let Some(Exported { first, last, lines }) = exported else {
        return Err(anyhow!(match before {
            Before::Time(time) if begin < end => {
                let time = when::short(time);
                format!("entry {begin}, the first of the audit log, is not from before {time}")
            }
            _ => nothing_to_cut(0, begin, end),
        }));
    };
    let shown = file.display();
    if !yes && !may_cut(file, &first, &last)? {
        remark(&format!(
            "nothing was cut; {shown} has entries {} to {}",
            first.number, last.number
        ));
        return Ok(ExitCode::FAILURE);
    }
    let sha256 = exported::digest(lines).to_lower_hex_string();
    let cut: LogCut = post(&client, "/v1/log/cut", &CutLog { before: last.number + 1, sha256 })
        .map_err(|error| {
            anyhow!("{error:#}; {shown} is written, and roastery log shows whether it was cut")
        })?;
    show::cut(&cut);
    say!("They are in {shown}.");
    Ok(ExitCode::SUCCESS)
}

fn may_cut(file: &Path, first: &AuditLine, last: &AuditLine) -> anyhow::Result<bool> {
    let day = |time: Time| when::short(time);
    say!(
        "{}: entries {} to {}, from {} to {}",
        file.display(),
        first.number,
        last.number,
        day(first.time),
        day(last.time)
    );
    asked("Cut them from the audit log? [y/N] ")
}

/// Writes entries from this number on into a new file, page by page, until one is not wanted. If
/// there is no wanted entry no file is written.
fn write(
    client: &Client,
    file: &Path,
    mut from: u64,
    wanted: impl Fn(&AuditLine) -> anyhow::Result<bool>,
) -> anyhow::Result<Option<Exported>> {
    let mut new = Folder::new_file(file, Access::Owner)?;
    let mut exported: Option<Exported> = None;
    'pages: loop {
        let page = ask(client, &format!("/v1/log/export?from={from}"))?;
        if page.is_empty() {
            break;
        }
        let mut length = 0;
        for line in page.split_inclusive(|byte| *byte == b'\n') {
            let entry: AuditLine =
                serde_json::from_slice(line).context("the node's answer is not understood")?;
            if !wanted(&entry)? {
                new.write(&page[..length])?;
                break 'pages;
            }
            from = entry.number.saturating_add(1);
            length += line.len();
            let exported = exported.get_or_insert_with(|| Exported {
                first: entry.clone(),
                last: entry.clone(),
                lines: sha256::HashEngine::default(),
            });
            exported.lines.input(line);
            exported.last = entry;
        }
        new.write(&page)?;
    }
    if exported.is_some() {
        new.finish()?;
    }
    Ok(exported)
}

fn check(at: &At, file: &Path) -> anyhow::Result<ExitCode> {
    // A file that is no export is refused without asking the node.
    ExportFile::open(file)?;
    let LogCuts { cuts, .. } = get(&at.client()?, "/v1/log/cuts")?;
    let mut status = ExitCode::SUCCESS;
    let mut compared = false;
    for (cut, verdict) in ExportFile::open(file)?.compare(cuts)? {
        let LogCut { first, last, time, .. } = &cut;
        let what = format!("entries {first} to {last}, cut {}", when::long(*time));
        match verdict {
            Verdict::Same => say!("Same          {what}"),
            Verdict::Other => {
                say!("Different     {what}");
                status = ExitCode::FAILURE;
            }
            Verdict::NotThere => continue,
        }
        compared = true;
    }
    if !compared {
        let file = file.display();
        return Err(anyhow!(
            "{file}: it has no entries that were cut all at once; roastery log shows what was cut"
        ));
    }
    Ok(status)
}
