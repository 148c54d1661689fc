//! The program of the report-parse worker.

use std::process::ExitCode;

use levee_report_parse::ReportParse;

fn main() -> ExitCode {
    levee_stage::main_of_worker("levee-report-parse", "Reads completion reports", ReportParse::new)
}
