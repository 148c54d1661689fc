//! What an object has besides its bytes, and a copy has to have too.

use std::collections::BTreeMap;

use aws_sdk_s3::operation::{
    create_multipart_upload::builders::CreateMultipartUploadFluentBuilder, head_object::HeadObjectOutput,
};
use levee_formats::KeyCodec;

/// The attributes of one object that its copy carries over: what a batch copy with `MetadataDirective` COPY does, and the
/// website redirect. Not carried over are access control lists, locks and annotations, as in a batch copy of Levee's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    metadata: BTreeMap<String, String>,
    cache_control: Option<String>,
    content_disposition: Option<String>,
    content_encoding: Option<String>,
    content_language: Option<String>,
    content_type: Option<String>,
    /// As the source has it: S3 keeps any text, whether it is a date or not.
    pub(crate) expires: Option<String>,
    website_redirect: Option<String>,
}

impl Attributes {
    /// The attributes that a HEAD tells.
    pub(crate) fn of(head: &HeadObjectOutput) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            metadata: head.metadata().cloned().unwrap_or_default().into_iter().collect(),
            cache_control: owned(head.cache_control()),
            content_disposition: owned(head.content_disposition()),
            content_encoding: owned(head.content_encoding()),
            content_language: owned(head.content_language()),
            content_type: owned(head.content_type()),
            expires: owned(head.expires_string()),
            website_redirect: owned(head.website_redirect_location()),
        }
    }

    /// Puts all of them into a request but `expires`, which the SDK would only take as a date.
    pub(crate) fn put_into(&self, create: CreateMultipartUploadFluentBuilder) -> CreateMultipartUploadFluentBuilder {
        let metadata = (!self.metadata.is_empty()).then(|| self.metadata.clone().into_iter().collect());
        create
            .set_metadata(metadata)
            .set_cache_control(self.cache_control.clone())
            .set_content_disposition(self.content_disposition.clone())
            .set_content_encoding(self.content_encoding.clone())
            .set_content_language(self.content_language.clone())
            .set_content_type(self.content_type.clone())
            .set_website_redirect_location(self.website_redirect.clone())
    }
}

/// Tags in the form of the `x-amz-tagging` header: the parameters of a URL. None without tags.
pub(crate) fn tagging<'a>(tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<String> {
    let encode = |text: &str| KeyCodec::Percent.encode(text.as_bytes());
    let pairs: Vec<_> = tags.into_iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
    (!pairs.is_empty()).then(|| pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::none(&[], None)]
    #[case::plain(&[("team", "ingest")], Some("team=ingest"))]
    #[case::without_value(&[("flag", "")], Some("flag="))]
    #[case::odd(&[("a b", "1+2=3&4"), ("größe", "50 %/x")], Some("a%20b=1%2B2%3D3%264&gr%C3%B6%C3%9Fe=50%20%25/x"))]
    fn tags_are_the_parameters_of_a_url(#[case] tags: &[(&str, &str)], #[case] header: Option<&str>) {
        assert_eq!(tagging(tags.iter().copied()).as_deref(), header);
    }
}
