//! No text of a run leaves its place.

use std::sync::LazyLock;

use levee_delta_log::{MissingObject, MissingWhy};
use levee_page::text::is_unseen;
use proptest::prelude::*;

use super::{
    parsed::Parsed,
    samples::{HOSTILE, Sample, behind, elsewhere, hostile, repaired, torn, unsupported, whole},
};

/// A text that is nowhere on a page by itself.
const PLAIN: &str = "¤";

static PLAIN_PAGE: LazyLock<Parsed> = LazyLock::new(|| Parsed::new(&with(PLAIN).page()));

/// A page on which this text stands wherever a run has a text of its own.
fn with(text: &str) -> Sample {
    let mut sample = super::samples::degraded();
    sample.tables = vec![torn(1), behind(2), elsewhere(3), unsupported(4), repaired(5), whole(6)];
    sample.tables[5].verdict.opens_in_place.yes = false;
    for line in &mut sample.tables {
        let verdict = &mut line.verdict;
        verdict.path = format!("{}{text}", verdict.path);
        verdict.name = Some(text.to_owned());
        verdict.notes = vec![text.to_owned()];
        verdict.opens_in_place.why_not = Some(text.to_owned());
        line.explanation = Some(text.to_owned());
        verdict.missing =
            vec![MissingObject { path: text.to_owned(), why: MissingWhy::Absent, want: None, have: None }];
        verdict.unsupported = vec![text.to_owned()];
        if let Some(absolute) = &mut verdict.absolute {
            absolute.places = vec![text.to_owned()];
        }
    }
    let receipt = &mut sample.receipt;
    for field in [
        &mut receipt.headline,
        &mut receipt.run.source,
        &mut receipt.run.source_account,
        &mut receipt.run.execution_name,
        &mut receipt.snapshot.bucket,
        &mut receipt.snapshot.region,
        &mut receipt.levee_version,
    ] {
        field.push_str(text);
    }
    // An ARN of AWS's form would make a link.
    receipt.run.execution_arn = format!("arn:other:{text}");
    receipt.previous_sha256 = Some(text.to_owned());
    receipt.stages.iter_mut().for_each(|stage| stage.state.push_str(text));
    for job in &mut receipt.jobs {
        job.id.push_str(text);
        job.status.push_str(text);
    }
    let lists = receipt.objects.lists.iter_mut().chain(&mut receipt.inventory.plan);
    let reports = receipt.jobs.iter_mut().filter_map(|job| job.report.as_mut());
    let others = [&mut receipt.inventory.pointer].into_iter().chain(&mut receipt.snapshot.findings);
    for pointer in lists.chain(reports).chain(others) {
        pointer.key.push_str(text);
        pointer.bucket.push_str(text);
        pointer.etag.push_str(text);
    }
    sample.pointer.key.push_str(text);
    sample.counted()
}

fn unseen(html: &str) -> Option<char> {
    html.chars().find(|c| is_unseen(*c) && *c != '\n')
}

/// Pieces that have a meaning somewhere in HTML, in scripts, or on the way of a text across the screen.
fn any_text() -> impl Strategy<Value = String> {
    let pieces = [
        "<",
        ">",
        "\"",
        "'",
        "&",
        "&lt;",
        "&#x3c;",
        "</script>",
        "<!--",
        "-->",
        "]]>",
        "<script>",
        "</style>",
        "</title>",
        "</svg>",
        "\\",
        "\\u003c",
        "{{ 1 }}",
        "`${1}`",
        "\u{2028}",
        "\u{2029}",
        "\u{202e}",
        "\u{2066}",
        "\u{feff}",
        "\u{0}",
        "\r\n",
        "\u{1b}[2J",
        "=",
        "javascript:",
        " onload=",
        "ä",
        "日本",
        "שלום",
        "𝒳",
    ];
    prop::collection::vec(
        prop_oneof![4 => prop::sample::select(pieces.to_vec()).prop_map(str::to_owned), 1 => ".{1,6}"],
        1..12,
    )
    .prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_text_stays_a_text_and_is_seen(text in any_text()) {
        let html = with(&text).page();
        let (page, plain) = (Parsed::new(&html), &*PLAIN_PAGE);
        prop_assert_eq!(&page.structure, &plain.structure);
        prop_assert_eq!(unseen(&html), None);
        let seen = levee_page::text::visible(&text);
        let shown = page.texts.iter().filter(|shown| shown.contains(seen.as_ref())).count();
        let places = plain.texts.iter().filter(|shown| shown.contains(PLAIN)).count();
        prop_assert!(places > 40 && shown >= places, "shown in {} texts of {}", shown, places);
        let rows = page.data["rows"].as_array().unwrap();
        prop_assert!(rows.iter().all(|row| row[0].as_str().unwrap().ends_with(seen.as_ref())), "{:?}", rows);
    }
}

#[test]
fn scripts_in_names_are_names() {
    let mut sample = super::samples::first();
    sample.tables = vec![hostile(), whole(2)];
    let html = sample.counted().page();
    let page = Parsed::new(&html);
    assert_eq!((page.count("<script"), page.count("<img"), page.count("<style")), (2, 0, 1));
    assert!(!html.contains(HOSTILE) && unseen(&html).is_none());
    assert!(page.text().contains("raw/</script><script>document.title='owned'</script><img src=x"), "{}", page.text());
    assert!(page.text().contains("⟨U+202E⟩txt⟨U+2028⟩⟨U+0000⟩"), "{}", page.text());
}

#[test]
fn execution_arn_of_another_form_makes_no_link() {
    let mut sample = super::samples::good();
    let links = |sample: &Sample| -> Vec<String> {
        Parsed::new(&sample.page()).links.into_iter().filter(|link| link.contains("//")).collect()
    };
    let arn = sample.receipt.run.execution_arn.clone();
    let console = "https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/";
    assert_eq!(links(&sample), [format!("href={console}{arn}")]);
    for other in
        ["arn:aws:states:", "arn:aws:states:evil.example/:x", "arn:aws:states:us-east-1:1\"onclick=x", "javascript:1"]
    {
        sample.receipt.run.execution_arn = other.to_owned();
        assert!(links(&sample).is_empty(), "{other}");
    }
}
