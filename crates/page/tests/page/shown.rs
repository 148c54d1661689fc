//! What a page shows.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::ToSpan;
use levee_delta_log::Verdict;
use levee_ledger::{
    receipt::Outcome,
    state::{Amount, Decision},
};
use levee_page::{TREND_RUNS, TrendPoint};
use rstest::rstest;
use sha2::{Digest, Sha256};

use super::{
    parsed::Parsed,
    samples::{self, Sample, behind, elsewhere, repaired, torn, unsupported, whole},
};

fn text(sample: &Sample) -> String {
    Parsed::new(&sample.page()).text()
}

#[test]
fn good_run_says_that_there_is_nothing_to_mend() {
    let mut sample = samples::good();
    assert!(text(&sample).contains("✓ Complete Every object is copied or gone from the source, and every table is whole. There is nothing to mend; what else"));
    sample.tables.iter_mut().for_each(|line| line.repair = None);
    let text = text(&sample.counted());
    assert!(text.contains("There is nothing to do.") && !text.contains("What to look at"), "{text}");
}

#[test]
fn equal_values_make_equal_text_whatever_the_order_of_the_tables() {
    let sample = samples::degraded();
    let mut turned = sample.clone();
    turned.tables.reverse();
    assert_eq!(sample.page(), turned.page());
}

#[test]
fn outcome_comes_first_then_what_to_mend_worst_first_then_the_rest() {
    insta::assert_snapshot!(Parsed::new(&samples::degraded().page()).headings.join("\n"));
}

/// A complete run with one table of this kind.
fn with_table(line: levee_ledger::state::TableLine) -> Sample {
    let mut sample = samples::first();
    sample.tables = vec![line, whole(9)];
    sample.counted()
}

#[rstest]
#[case::torn(with_table(torn(1)), "to mend 1 table is torn", "31 objects are missing; 31 files were vacuumed")]
#[case::behind(with_table(behind(1)), "to mend 1 table is behind", "version 37 of 39 is whole; 4 objects are missing")]
#[case::elsewhere(
    with_table(elsewhere(1)),
    "to mend 1 table has files outside",
    "2,204 files in s3://lake-raw/partner/clicks"
)]
#[case::unsupported(with_table(unsupported(1)), "to mend 1 table asks readers for a feature", "asks for rowTeleport")]
#[case::repaired(with_table(repaired(1)), "to know 1 table was repaired", "was behind; 5 objects copied")]
fn what_happened_to_a_table_is_told_with_the_reason(#[case] sample: Sample, #[case] what: &str, #[case] why: &str) {
    let text = text(&sample);
    assert!(text.contains(what) && text.contains(why), "{text}");
}

#[test]
fn of_many_tables_the_first_are_named_and_the_others_counted() {
    let text = text(&samples::many());
    let torn = text.split("to mend 10 tables are torn").nth(1).unwrap().split("to mend").next().unwrap();
    assert_eq!(
        (torn.matches("31 objects are missing").count(), torn.contains("and 5 more in the list")),
        (5, true),
        "{torn}"
    );
}

#[test]
fn whole_table_that_does_not_open_in_place_and_remarks_are_worth_knowing() {
    let mut line = whole(1);
    line.verdict.opens_in_place.yes = false;
    line.verdict.opens_in_place.why_not = Some("_last_checkpoint dangles".to_owned());
    line.verdict.notes = vec!["Two incarnations are suspected.".to_owned()];
    let text = text(&with_table(line));
    for part in
        ["to know 1 table is whole, but a reader", "_last_checkpoint dangles", "to know 1 whole table has a remark"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[rstest]
#[case::skipped(|sample: &mut Sample| { sample.receipt.objects.copied -= 5; sample.receipt.objects.skipped = 5; }, "5 selected objects were not copied")]
#[case::unexpected(|sample: &mut Sample| sample.receipt.snapshot.unexpected = 2, "2 objects in the snapshot were not planned")]
#[case::sum(|sample: &mut Sample| sample.receipt.objects.copied -= 1, "The counts do not add up: 1,204,333 copied, vanished, skipped or not selected, 1,204,334 in the inventory")]
#[case::tables(|sample: &mut Sample| sample.tables.truncate(9), "The list of tables is not the one that was counted: 9 in the list, 412 in the receipt")]
#[case::verdicts(|sample: &mut Sample| sample.tables[3].verdict.verdict = Verdict::Torn, "The list of tables is not the one that was counted")]
fn what_a_complete_run_must_not_have_is_told_and_it_is_not_shown_as_good(
    #[case] change: fn(&mut Sample),
    #[case] told: &str,
) {
    let mut sample = samples::good();
    change(&mut sample);
    let page = sample.page();
    let text = Parsed::new(&page).text();
    assert!(text.contains(told) && text.contains("speaks against it") | text.contains("speak against it"), "{text}");
    assert!(page.contains(r#"<p class="state warn">"#) && !page.contains(r#"<p class="state good">"#));
}

#[test]
fn tables_that_a_page_has_no_room_for_are_counted_and_no_contradiction() {
    let mut sample = samples::good();
    let kept = sample.tables.len() - 12;
    for line in sample.tables.split_off(kept) {
        sample.left_out.add(line.verdict.verdict);
    }
    let page = sample.page();
    let text = Parsed::new(&page).text();
    assert!(text.contains("12 tables are not on this page, 0 of them not whole"), "{text}");
    assert!(!text.contains("is not the one that was counted"), "{text}");
    assert!(page.contains(r#"<p class="state good">"#));
}

#[test]
fn counts_that_do_not_add_up_are_no_proof() {
    let mut sample = samples::good();
    sample.receipt.objects.vanished += 1;
    let text = text(&sample);
    assert!(text.contains("Not proved: that each of the 1,204,334 objects of the inventory is copied"), "{text}");
}

#[test]
fn objects_that_nobody_selected_are_no_failing() {
    let mut sample = samples::good();
    sample.receipt.objects.copied -= 7;
    sample.receipt.objects.excluded = 7;
    sample.receipt.inventory.decisions = [(Decision::Excluded, Amount { rows: 7, bytes: 70 })].into();
    let page = sample.page();
    assert!(page.contains(r#"<p class="state good">"#) && !page.contains("selected objects were not copied"));
}

#[test]
fn degraded_run_whose_counts_show_nothing_is_not_shown_as_good() {
    let mut sample = samples::first();
    sample.receipt.outcome = Outcome::Degraded;
    let text = text(&sample);
    assert!(
        text.contains("! Degraded The run has ended and is not complete, and its counts do not show why"),
        "{text}"
    );
}

#[test]
fn first_two_hundred_tables_stand_in_the_document_worst_first_and_all_are_in_the_data() {
    let page = Parsed::new(&samples::many().page());
    let rows = page.data["rows"].as_array().unwrap();
    assert_eq!((page.count("<tr>"), rows.len()), (200 + static_rows_beside_tables(), 5_000));
    let mut verdicts = BTreeMap::<u64, usize>::new();
    rows.iter().for_each(|row| *verdicts.entry(row[1].as_u64().unwrap()).or_default() += 1);
    assert_eq!(verdicts, [(0, 4_960), (2, 20), (3, 10), (6, 10)].into());
    assert!(rows.is_sorted_by_key(|row| std::cmp::Reverse(row[1].as_u64())));
    assert!(page.text().contains("The worst 200 of 5,000 tables. The others are shown when the browser runs scripts, and are in s3://levee-ledger"));
}

/// Rows of other tables of the same run.
fn static_rows_beside_tables() -> usize {
    let mut sample = samples::many();
    sample.tables.clear();
    let trend = sample.trend.clone();
    let mut sample = sample.counted();
    sample.trend = trend;
    // The head of the list of tables is the one more.
    Parsed::new(&sample.page()).count("<tr>") + 1
}

#[test]
fn page_of_five_thousand_tables_is_small_enough_to_be_mailed() {
    let bytes = samples::many().page().len();
    assert!(bytes < 1_000_000, "{bytes} bytes");
}

#[test]
fn policy_lets_nothing_run_but_the_script_of_the_page_and_nothing_be_reached() {
    let html = samples::good().page();
    let inner = |open: &str, close: &str| html.split(open).nth(1).unwrap().split(close).next().unwrap().to_owned();
    let hash = |text: String| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let (style, script) = (hash(inner("<style>", "</style>")), hash(inner("<script>", "</script>")));
    let policy = inner("http-equiv=\"Content-Security-Policy\" content=\"", "\">").replace("&#39;", "'");
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src {style}; script-src {script}; img-src data:; base-uri 'none'; form-action 'none'"
        )
    );
    let page = Parsed::new(&html);
    assert!(
        page.structure.iter().all(|tag| !tag.contains(" on") && !tag.contains(" style=")),
        "inline handlers or styles"
    );
    let loaded: Vec<_> = page.links.iter().filter(|link| link.starts_with("src=")).collect();
    assert!(loaded.is_empty(), "{loaded:?}");
}

#[test]
fn trend_has_a_bar_for_each_of_the_last_runs_and_a_gap_for_a_day_without() {
    let sample = samples::degraded();
    assert_eq!(sample.trend.len(), 30);
    let html = sample.page();
    assert_eq!(html.matches(r#"class="bar"/>"#).count() + html.matches(r#"class="degraded"/>"#).count(), 4 * 30);
    assert_eq!(html.matches(r#"class="diamond"/>"#).count(), 4 * 3);
    assert!(html.contains("1 day without a bar has no receipt."), "the day without a run");
}

#[test]
fn more_runs_than_are_shown_are_cut_at_the_old_end() {
    let mut sample = samples::good();
    let first = sample.trend[0];
    for back in 1..=9 {
        let backup_date = first.backup_date.checked_sub(back.days()).unwrap();
        sample.trend.insert(0, TrendPoint { backup_date, objects: 7, ..first });
    }
    let text = text(&sample);
    assert!(
        text.contains(&format!("The last {TREND_RUNS} runs 1 Mar 2026 to 31 Mar 2026"))
            && !text.contains("28 Feb 2026"),
        "{text}"
    );
}

#[rstest]
#[case::none(0)]
#[case::one(1)]
fn trend_needs_two_runs(#[case] runs: usize) {
    let mut sample = samples::good();
    sample.trend.truncate(runs);
    assert!(!sample.page().contains("id=\"trend\""));
}

#[test]
fn trend_of_far_apart_or_unordered_days_has_a_place_for_each_run() {
    let mut sample = samples::good();
    sample.trend.truncate(3);
    sample.trend[0].backup_date = "2019-01-01".parse().unwrap();
    let html = sample.page();
    assert!(html.contains("The last 3 runs") && !html.contains("no receipt."));
    sample.trend.reverse();
    assert!(sample.page().contains("The last 3 runs"));
}

#[test]
fn values_at_their_limits_are_shown() {
    let mut sample = samples::degraded();
    let receipt = &mut sample.receipt;
    receipt.objects.copied = u64::MAX;
    receipt.objects.vanished = u64::MAX;
    receipt.inventory.objects = 0;
    receipt.snapshot.bytes = u64::MAX;
    receipt.run.closed = "0001-01-01T00:00:00Z".parse().unwrap();
    receipt.run.started = "9999-12-30T00:00:00Z".parse().unwrap();
    let point =
        TrendPoint { bytes: u64::MAX, objects: 0, seconds: u64::MAX, tables: 0, tables_good: 5, ..sample.trend[3] };
    sample.trend[3] = point;
    let version = sample.tables[1].verdict.newest_whole.as_mut().unwrap();
    (version.timestamp_ms, version.bytes) = (Some(i64::MIN), u64::MAX);
    let page = Parsed::new(&sample.page());
    assert!(
        page.text().contains("16.0 EiB") && !page.structure.iter().any(|tag| tag.contains("NaN")),
        "{}",
        page.text()
    );
}

#[test]
fn objects_overwritten_meanwhile_are_told_and_speak_against_nothing() {
    let mut sample = samples::good();
    sample.receipt.snapshot.changed = 1;
    let page = sample.page();
    assert!(page.contains("1 object in the snapshot has another size than the inventory says"));
    assert!(page.contains(r#"<p class="state good">"#));
}
