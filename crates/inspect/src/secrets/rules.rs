//! The formats, by what their issuers document. A new one is one entry and its cases in the tests.

use super::Hit;
use super::checksum::{Check, holds};
use super::pattern::{Format, Part, Set, matched};
use super::text::placeholder;
use crate::finding::Severity;
use Part::{Is, Run};
use aho_corasick::{AhoCorasick, MatchKind};
use std::sync::OnceLock;

const fn format(rule: &'static str, what: &'static str, anchors: &'static [&'static str], after: &'static [Part]) -> Format {
    Format { rule, what, severity: Severity::High, anchors, before: None, after, check: Check::None }
}

const fn critical(format: Format) -> Format {
    Format { severity: Severity::Critical, ..format }
}

const fn checked(format: Format, check: Check) -> Format {
    Format { check, ..format }
}

pub const FORMATS: &[Format] = &[
    // Code hosts and package registries.
    critical(checked(
        format("github-token", "a GitHub token", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], &[Run(Set::Alphanumeric, 36, 36)]),
        Check::Crc62,
    )),
    critical(format(
        "github-fine-grained-token",
        "a GitHub fine-grained personal access token",
        &["github_pat_"],
        &[Run(Set::Alphanumeric, 22, 22), Is("_"), Run(Set::Alphanumeric, 59, 59)],
    )),
    critical(checked(
        format(
            "gitlab-token",
            "a GitLab token",
            &["glpat-", "gldt-", "glrt-", "glptt-", "glft-", "glimt-", "glagent-", "glsoat-", "glcbt-"],
            &[Run(Set::Dotted, 20, 300)],
        ),
        Check::LettersAndDigits,
    )),
    critical(checked(format("npm-token", "an npm access token", &["npm_"], &[Run(Set::Alphanumeric, 36, 36)]), Check::Crc62)),
    critical(checked(format("pypi-token", "a PyPI upload token", &["pypi-"], &[Run(Set::Url, 50, 1000)]), Check::PyPi)),
    critical(format("rubygems-token", "a RubyGems API key", &["rubygems_"], &[Run(Set::Hex, 48, 48)])),
    critical(checked(
        format("crates-io-token", "a crates.io API token", &["cio"], &[Run(Set::Alphanumeric, 32, 32)]),
        Check::LettersAndDigits,
    )),
    critical(checked(format("nuget-api-key", "a NuGet API key", &["oy2"], &[Run(Set::Lower, 43, 43)]), Check::LettersAndDigits)),
    critical(format("docker-hub-token", "a Docker Hub access token", &["dckr_pat_", "dckr_oat_"], &[Run(Set::Url, 27, 40)])),
    format("artifactory-token", "an Artifactory API key", &["AKCp"], &[Run(Set::Alphanumeric, 69, 69)]),
    // Clouds.
    critical(checked(
        format("aws-access-key-id", "an AWS access key id", &["AKIA", "ASIA"], &[Run(Set::Base32, 16, 16)]),
        Check::LettersAndDigits,
    )),
    critical(format("google-api-key", "a Google API key", &["AIza"], &[Run(Set::Url, 35, 35)])),
    critical(format("google-oauth-secret", "a Google OAuth client secret", &["GOCSPX-"], &[Run(Set::Url, 28, 28)])),
    critical(checked(
        format("google-oauth-token", "a Google OAuth access token", &["ya29."], &[Run(Set::Url, 60, 400)]),
        Check::LettersAndDigits,
    )),
    critical(checked(
        format("azure-storage-key", "an Azure storage account key", &["AccountKey="], &[Run(Set::Base64, 86, 88)]),
        Check::Base64Of64,
    )),
    critical(checked(
        Format {
            before: Some((Set::Url, 4, 4)),
            ..format("azure-client-secret", "an Azure client secret", &["Q~"], &[Run(Set::Dotted, 31, 34)])
        },
        Check::LettersAndDigits,
    )),
    critical(format("digitalocean-token", "a DigitalOcean token", &["dop_v1_", "doo_v1_", "dor_v1_"], &[Run(Set::Hex, 64, 64)])),
    critical(checked(format("heroku-api-key", "a Heroku API key", &["HRKU-"], &[Run(Set::Url, 36, 66)]), Check::LettersAndDigits)),
    critical(checked(
        format("fly-token", "a Fly.io token", &["fm1r_", "fm2_", "fo1_"], &[Run(Set::Base64, 40, 2000)]),
        Check::LettersAndDigits,
    )),
    critical(format("scaleway-api-key", "a Scaleway access key", &["SCW"], &[Run(Set::Upper, 17, 17)])),
    critical(checked(
        format("netlify-token", "a Netlify token", &["nfp_", "nfc_", "nfo_"], &[Run(Set::Alphanumeric, 36, 40)]),
        Check::LettersAndDigits,
    )),
    critical(format("pulumi-token", "a Pulumi access token", &["pul-"], &[Run(Set::Hex, 40, 40)])),
    critical(Format {
        before: Some((Set::Alphanumeric, 14, 14)),
        ..format("terraform-cloud-token", "a Terraform Cloud token", &[".atlasv1."], &[Run(Set::Base64, 60, 70)])
    }),
    critical(format("vault-token", "a Vault token", &["hvs.", "hvb."], &[Run(Set::Url, 90, 300)])),
    critical(format(
        "doppler-token",
        "a Doppler token",
        &["dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", "dp.scim."],
        &[Run(Set::Alphanumeric, 40, 44)],
    )),
    critical(format("databricks-token", "a Databricks token", &["dapi"], &[Run(Set::Hex, 32, 32)])),
    critical(format(
        "planetscale-token",
        "a PlanetScale credential",
        &["pscale_tkn_", "pscale_pw_", "pscale_oauth_"],
        &[Run(Set::Dotted, 32, 64)],
    )),
    critical(format("supabase-token", "a Supabase token", &["sbp_"], &[Run(Set::Hex, 40, 40)])),
    critical(checked(
        format("tailscale-key", "a Tailscale key", &["tskey-auth-", "tskey-api-", "tskey-client-"], &[Run(Set::Url, 30, 80)]),
        Check::LettersAndDigits,
    )),
    // Money.
    critical(format("stripe-secret-key", "a Stripe live secret key", &["sk_live_", "rk_live_"], &[Run(Set::Alphanumeric, 24, 247)])),
    critical(format("stripe-webhook-secret", "a Stripe webhook secret", &["whsec_"], &[Run(Set::Alphanumeric, 32, 64)])),
    critical(format("square-token", "a Square credential", &["sq0atp-", "sq0csp-"], &[Run(Set::Url, 22, 43)])),
    critical(format("shopify-token", "a Shopify credential", &["shpat_", "shpca_", "shppa_", "shpss_"], &[Run(Set::Alphanumeric, 32, 32)])),
    critical(format("flutterwave-key", "a Flutterwave live secret key", &["FLWSECK-"], &[Run(Set::Hex, 32, 32), Is("-X")])),
    critical(format("shippo-token", "a Shippo live token", &["shippo_live_"], &[Run(Set::Hex, 40, 40)])),
    critical(checked(
        format("easypost-key", "an EasyPost production key", &["EZAK"], &[Run(Set::Alphanumeric, 54, 54)]),
        Check::LettersAndDigits,
    )),
    // Messages.
    critical(format(
        "slack-token",
        "a Slack token",
        &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-"],
        &[Run(Set::Digits, 10, 13), Is("-"), Run(Set::Url, 20, 120)],
    )),
    critical(checked(format("slack-app-token", "a Slack app token", &["xapp-1-"], &[Run(Set::Url, 50, 120)]), Check::LettersAndDigits)),
    format(
        "slack-webhook",
        "a Slack webhook",
        &["https://hooks.slack.com/services/T"],
        &[Run(Set::Upper, 8, 12), Is("/B"), Run(Set::Upper, 8, 12), Is("/"), Run(Set::Alphanumeric, 24, 24)],
    ),
    format(
        "discord-webhook",
        "a Discord webhook",
        &["https://discord.com/api/webhooks/", "https://discordapp.com/api/webhooks/"],
        &[Run(Set::Digits, 17, 20), Is("/"), Run(Set::Url, 60, 80)],
    ),
    Format {
        before: Some((Set::Digits, 8, 10)),
        ..format("telegram-bot-token", "a Telegram bot token", &[":AA"], &[Run(Set::Url, 33, 33)])
    },
    critical(format("sendgrid-api-key", "a SendGrid API key", &["SG."], &[Run(Set::Url, 22, 22), Is("."), Run(Set::Url, 43, 43)])),
    format("mailgun-api-key", "a Mailgun API key", &["key-"], &[Run(Set::Hex, 32, 32)]),
    Format { before: Some((Set::Hex, 32, 32)), ..format("mailchimp-api-key", "a Mailchimp API key", &["-us"], &[Run(Set::Digits, 1, 2)]) },
    format("brevo-api-key", "a Brevo API key", &["xkeysib-"], &[Run(Set::Hex, 64, 64), Is("-"), Run(Set::Alphanumeric, 16, 16)]),
    format("twilio-api-key", "a Twilio API key", &["SK"], &[Run(Set::Hex, 32, 32)]),
    // Models.
    critical(checked(
        format("openai-api-key", "an OpenAI API key", &["sk-proj-", "sk-svcacct-", "sk-admin-", "sk-"], &[Run(Set::Url, 48, 200)]),
        Check::OpenAi,
    )),
    critical(format(
        "anthropic-api-key",
        "an Anthropic API key",
        &["sk-ant-api03-", "sk-ant-admin01-"],
        &[Run(Set::Url, 93, 93), Is("AA")],
    )),
    critical(format("hugging-face-token", "a Hugging Face token", &["hf_"], &[Run(Set::Alphanumeric, 34, 34)])),
    format("replicate-token", "a Replicate token", &["r8_"], &[Run(Set::Alphanumeric, 37, 37)]),
    format("groq-api-key", "a Groq API key", &["gsk_"], &[Run(Set::Alphanumeric, 52, 52)]),
    // Work and observation.
    format(
        "atlassian-token",
        "an Atlassian API token",
        &["ATATT3xFfGF0"],
        &[Run(Set::Url, 150, 220), Is("="), Run(Set::Alphanumeric, 8, 8)],
    ),
    format(
        "grafana-token",
        "a Grafana service account token",
        &["glsa_"],
        &[Run(Set::Alphanumeric, 32, 32), Is("_"), Run(Set::Alphanumeric, 8, 8)],
    ),
    format("grafana-cloud-token", "a Grafana Cloud token", &["glc_ey"], &[Run(Set::Base64, 60, 400)]),
    format("new-relic-key", "a New Relic key", &["NRAK-", "NRRA-"], &[Run(Set::Upper, 27, 42)]),
    format("sentry-token", "a Sentry token", &["sntryu_"], &[Run(Set::Hex, 64, 64)]),
    format("sentry-org-token", "a Sentry organisation token", &["sntrys_ey"], &[Run(Set::Base64, 80, 400)]),
    format("linear-api-key", "a Linear API key", &["lin_api_"], &[Run(Set::Alphanumeric, 40, 40)]),
    format("notion-token", "a Notion token", &["ntn_"], &[Run(Set::Alphanumeric, 46, 46)]),
    format("postman-api-key", "a Postman API key", &["PMAK-"], &[Run(Set::Hex, 24, 24), Is("-"), Run(Set::Hex, 34, 34)]),
    format("figma-token", "a Figma token", &["figd_"], &[Run(Set::Url, 40, 42)]),
    format("airtable-token", "an Airtable token", &["pat"], &[Run(Set::Alphanumeric, 14, 14), Is("."), Run(Set::Hex, 64, 64)]),
    format("readme-api-key", "a ReadMe API key", &["rdme_"], &[Run(Set::Lower, 70, 70)]),
    format("prefect-api-key", "a Prefect API key", &["pnu_"], &[Run(Set::Alphanumeric, 36, 36)]),
    format("dynatrace-token", "a Dynatrace token", &["dt0c01."], &[Run(Set::Upper, 24, 24), Is("."), Run(Set::Upper, 64, 64)]),
    // Keys that are one line.
    critical(checked(format("age-secret-key", "an age secret key", &["AGE-SECRET-KEY-1"], &[Run(Set::Upper, 58, 58)]), Check::Bech32)),
    Format {
        severity: Severity::Medium,
        ..checked(
            format(
                "json-web-token",
                "a JSON Web Token",
                &["eyJ"],
                &[Run(Set::Url, 10, 2000), Is(".eyJ"), Run(Set::Url, 5, 8000), Is("."), Run(Set::Url, 20, 2000)],
            ),
            Check::Jwt,
        )
    },
];

/// All anchors in one automaton; pattern number -> format.
struct Anchors {
    automaton: Option<AhoCorasick>,
    of: Vec<usize>,
}

fn anchors() -> &'static Anchors {
    static ANCHORS: OnceLock<Anchors> = OnceLock::new();
    ANCHORS.get_or_init(|| {
        let all = || FORMATS.iter().enumerate().flat_map(|(place, format)| format.anchors.iter().map(move |anchor| (place, anchor)));
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(all().map(|(_, anchor)| anchor)).ok();
        Anchors { automaton, of: all().map(|(place, _)| place).collect() }
    })
}

pub(super) fn find(bytes: &[u8], hits: &mut Vec<Hit>) {
    let anchors = anchors();
    let Some(automaton) = &anchors.automaton else { return };
    for found in automaton.find_overlapping_iter(bytes) {
        let Some(format) = anchors.of.get(found.pattern().as_usize()).and_then(|place| FORMATS.get(*place)) else { continue };
        let length = found.end() - found.start();
        let Some((start, end)) = matched(format, bytes, found.start(), length) else { continue };
        let Some(token) = bytes.get(start..end) else { continue };
        let body = if format.before.is_some() { token } else { bytes.get(found.end()..end).unwrap_or_default() };
        if placeholder(body) || !holds(format.check, token) {
            continue;
        }
        let shown = if format.before.is_some() { 0 } else { length };
        hits.push(Hit { rule: format.rule, what: format.what, severity: format.severity, start, end, shown });
    }
}
