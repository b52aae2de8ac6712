//! `convert`: from the file format to the text IR and back.

use pullback_graph::GraphFile;

use crate::arguments::Convert;
use crate::error::CliError;
use crate::file::load;
use crate::view::save;

pub(crate) fn convert(arguments: &Convert) -> Result<(), CliError> {
    let extension = arguments.output.extension().and_then(|extension| extension.to_str());
    let to_json = match extension {
        Some("json") => true,
        Some("txt") => false,
        _ => {
            let message = format!("{}: the file to write ends in .json or .txt", arguments.output.display());
            return Err(CliError::Usage(message));
        }
    };
    let loaded = load(&arguments.input)?;
    let text = match to_json {
        true => GraphFile::of(&loaded.graph).with_stats(&loaded.stats).to_json(),
        false => loaded.graph.text().with_stats(&loaded.stats).to_string(),
    };
    save(&arguments.output, &text)
}
