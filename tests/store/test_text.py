"""Text normalisation: what strangers write must come out safe, and be found again."""

import sqlite3
import unicodedata

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from store import text as t

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
nasty = st.text(st.characters(exclude_categories=()), max_size=60) | st.text(
    "aあ日本語。ーｶﾞ☕#@\"'*<>&; \n\t\x00\u202e\ud800\udc00😀\u200d\ufe0fכא:/-", max_size=60
)
EXTREMES = [
    "",
    "x" * 100_000,
    "日" * 100_000,
    "😀" * 500,
    "\ud800\udc00\ud800",
    "שלום עולם \u202eabc",
    "\x00" * 9 + "a\x00",
]


# ------------------------------------------------------------------ clean
@quick
@given(nasty)
@example("\ud83d\ude00")
@example("\ud83dx")
def test_clean_is_idempotent_and_safe_for_sqlite(text):
    cleaned = t.clean(text)
    assert t.clean(cleaned) == cleaned
    assert cleaned.encode("utf-8").decode("utf-8") == cleaned
    assert not any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in cleaned)
    assert sqlite3.connect(":memory:").execute("select ?", (cleaned,)).fetchone() == (cleaned,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x00b\x07c\x7f\x9f", "abc"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("a\tb", "a\tb"),
        ("pay \u202etxet\u202c \u2066x\u2069", "pay txet x"),
        ("\ud83d\ude00", "😀"),
        ("a\ud800b\udc00", "a\ufffdb\ufffd"),
        ("👨\u200d👩\u200d👧 ☕\ufe0f 👍🏽", "👨\u200d👩\u200d👧 ☕\ufe0f 👍🏽"),
    ],
)
def test_clean_keeps_what_is_text(text, expected):
    assert t.clean(text) == expected


def test_clean_caps_the_length_and_says_so():
    cut = t.clean("あ" * 300_000)
    assert len(cut) == t.MAX_CHARS
    assert cut.endswith("[cut]")
    assert t.clean(cut) == cut
    assert t.clean("あ" * t.MAX_CHARS) == "あ" * t.MAX_CHARS


# ------------------------------------------------------------------ from_html
LINK = (
    '<a href="https://example.com/a/long/path?x=1&amp;y=2" rel="nofollow"><span class="invisible">https://</span>'
    '<span class="ellipsis">example.com/a/lo</span><span class="invisible">ng/path?x=1&amp;y=2</span></a>'
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<p>one<br>two<br />three</p><p>four</p>", "one\ntwo\nthree\n\nfour"),
        (f"<p>see {LINK}!</p>", "see https://example.com/a/long/path?x=1&y=2!"),
        (
            '<p><span class="h-card"><a href="https://m.example/@bob" class="mention">@<span>bob</span></a></span></p>',
            "@bob",
        ),
        (
            '<p><a href="https://m.example/tags/x" class="mention hashtag" rel="tag">#<span>日本酒</span></a></p>',
            "#日本酒",
        ),
        ("<p>#<span>nobot</span></p>", "#nobot"),
        ('<p>:blobcat: ok <img class="custom-emoji" alt=":wave:"></p>', ":blobcat: ok :wave:"),
        ("<p>fish &amp; chips &lt;3 &#128512; caf&eacute;</p>", "fish & chips <3 😀 café"),
        ("<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>", "<script>alert(1)</script>"),
        ('<a href="https://blog.example/post">read this</a>', "read this https://blog.example/post"),
        ('<a href="javascript:alert(1)">free money</a>', "free money"),
        (
            '<p class="quote-inline">RE: <a href="https://m.example/1">https://m.example/1</a></p><p>so true</p>',
            "so true",
        ),
        ("plain, no markup", "plain, no markup"),
        ("a < b", "a < b"),
        ("<p>  many \n  spaces&nbsp;here </p>", "many spaces here"),
        ("<ul><li>a</li><li>b</li></ul>", "a\n\nb"),
        ("", ""),
    ],
)
def test_html_becomes_what_a_reader_sees(content, expected):
    assert t.from_html(content) == expected


@pytest.mark.parametrize(
    "content",
    [
        "<script>evil</script>ok",
        "ok<script>evil",
        "<style>evil</style>ok",
        "<!-- evil -->ok",
        '<span class="invisible">evil</span>ok',
        "<svg><style>evil</style></svg>ok",
        '<a href="https://ok.example"><script>evil</script>ok</a>',
        "<template>evil</template>ok",
        "<iframe srcdoc='evil'>evil</iframe>ok",
        '<img src=x onerror="evil">ok',
    ],
)
def test_what_is_not_text_never_comes_through(content):
    plain = t.from_html(content)
    assert "evil" not in plain
    assert "ok" in plain


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("<div>" * 20_000 + "deep", "deep"),
        ("<p>never closed <b>bold", "never closed bold"),
        ("</p></div></html>after", "after"),
        ("<meta charset='utf-16'><p>日本</p>", "日本"),
        ("\x00<p>a\ud800&#0;&#x202e;b</p>", "b"),
        ("<p>" + "あ" * 2_000_000, "[cut]"),
        ('<a href="https://a.example"><a href="https://b.example">two', "https://b.example"),
    ],
)
def test_broken_html_is_read_as_far_as_it_goes(content, part):
    plain = t.from_html(content)
    assert part in plain
    assert t.clean(plain) == plain


@quick
@given(nasty)
def test_any_input_is_plain_text_without_the_tricks(content):
    plain = t.from_html(f"<p>{content}</p><script>{content}</script>")
    assert t.clean(plain) == plain
    assert "\u202e" not in plain


# ------------------------------------------------------------------ fold
@quick
@given(nasty)
def test_fold_is_idempotent(text):
    assert t.fold(t.fold(text)) == t.fold(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ＣＯＦＦＥＥ　Ｌａｔｔｅ", "coffee latte"),
        ("ｶﾌｪﾗﾃ", "カフェラテ"),
        ("STRASSE", "straße"),
        ("co\u00adf\u200bfee", "coffee"),
        ("☕\ufe0f", "☕"),
        ("a\n\t b", "a b"),
        ("ﾊﾟﾋﾟ", "パピ"),
    ],
)
def test_fold_makes_equal_what_people_take_for_equal(one, other):
    assert t.fold(one) == t.fold(other)


@pytest.mark.parametrize(
    ("one", "other"), [("カフェ", "かふぇ"), ("ハハ", "パパ"), ("ビール", "ビル"), ("日本", "日木")]
)
def test_fold_keeps_apart_what_is_apart(one, other):
    assert t.fold(one) != t.fold(other)


# ------------------------------------------------------------------ search
POSTS = {
    "sake": "日本酒がうまい",
    "tag": "#日本酒 club",
    "cup": "Coffee ☕\ufe0f 最高",
    "ctag": "I love #Coffee",
    "rare": "𠮷野家の牛丼",
    "thumb": "👍🏽 nice",
    "u23": "U23 日本代表",
    "one": "酒",
    "half": "ｶﾌｪ･ﾗﾃ",
    "flag": "🇯🇵 に行く",
    "said": 'He said "hi there" to me',
}


@pytest.fixture(scope="module")
def search():
    db = sqlite3.connect(":memory:")
    db.execute("create virtual table found using fts5(name unindexed, words, tokenize = 'unicode61')")
    db.executemany("insert into found values (?, ?)", [(name, t.bigrams(text)) for name, text in POSTS.items()])

    def run(expression):
        return {name for (name,) in db.execute("select name from found where words match ?", (expression,))}

    return run


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("日本", {"sake", "tag", "u23"}),
        ("日本酒", {"sake", "tag"}),
        ("酒", {"sake", "tag", "one"}),
        ("い", {"sake"}),
        ("coffee", {"cup", "ctag"}),
        ("ＣＯＦＦＥＥ", {"cup", "ctag"}),
        ("☕", {"cup"}),
        ("#coffee", {"ctag"}),
        ("#日本酒", {"tag"}),
        ("#日", {"tag"}),
        ("𠮷", {"rare"}),
        ("𠮷野家", {"rare"}),
        ("👍", {"thumb"}),
        ("ラテ", {"half"}),
        ("🇯🇵", {"flag"}),
        ("club 日本", {"tag"}),
        ('"日本酒 club"', {"tag"}),
        ('"club 日本酒"', set()),
        ('"hi said"', set()),
        ('"hi there"', {"said"}),
        ("本日", set()),
        ("", set()),
        ('"', set()),
        ("*", set()),
        ("NEAR(日本 酒)", set()),
        ("words:coffee", set()),
        ("-coffee", {"cup", "ctag"}),
    ],
)
def test_what_is_searched_is_found(search, typed, names):
    assert search(t.match_query(typed)) == names


@quick
@given(nasty)
@example("x " * 900)
@example('" OR "')
@example("日" * 5_000)
def test_no_search_is_an_error(search, typed):
    assert search(t.match_query(typed)) <= set(POSTS)


@quick
@given(st.text("日本酒あーaB☕#", min_size=1, max_size=8), st.text("日本酒あ a☕#", max_size=5))
def test_a_word_is_found_in_the_text_that_begins_with_it(word, rest):
    if not any(c.isalnum() or c in "☕#" for c in word):
        return
    db = sqlite3.connect(":memory:")
    db.execute("create virtual table found using fts5(words, tokenize = 'unicode61')")
    glue = " " if word[-1] in "aB" else ""
    db.execute("insert into found values (?)", (t.bigrams(f"前 {word}{glue}{rest}"),))
    assert db.execute("select count(*) from found where words match ?", (t.match_query(word),)).fetchone() == (1,)


def test_the_rule_of_bigrams_is_the_documented_one():
    assert t.bigrams("日本酒") == "日本 本酒 酒"
    assert t.bigrams("Macの日 x") == "mac の日 日 x"
    assert t.bigrams("☕#a") == "u02615 u00023 a"
    assert t.match_query("日本酒") == '"日本 本酒"'
    assert t.match_query("日") == '"日"*'
    assert t.match_query("!!!") == '""'


# ------------------------------------------------------------------ for_model
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("すごーーーい", "すごーい"),
        ("sooooo good!!!!!!", "sooo good!!!"),
        ("wwwwwwww 草草草草草", "www 草草草"),
        ("10000000円", "10000000円"),
        ("😭😭😭😭😭", "😭😭😭"),
        ("ｽｺﾞｰｰｲ　ＯＫ", "スゴーイ OK"),
        ("見て https://example.com/aですよ", "見て httpですよ"),
        ("www.example.com/x と（http://a.example）", "http と(http)"),
        ("@a_b @foo@bar.example: a@b.example", "@user @user: a@b.example"),
        ("すごい@user_1さん", "すごい@userさん"),
        ("fish &amp; chips &lt;3", "fish & chips <3"),
        ("a\n\n b\u3000c", "a b c"),
    ],
)
def test_the_model_reads_one_form(text, expected):
    assert t.for_model(text) == expected


@pytest.mark.parametrize("text", EXTREMES)
@pytest.mark.parametrize(
    "function", [t.clean, t.from_html, t.fold, t.for_model, t.bigrams, t.content_hash, t.match_query]
)
def test_extremes_pass(function, text):
    result = function(text)
    assert isinstance(result, str)
    assert "\x00" not in result
    result.encode("utf-8")


@quick
@given(nasty)
def test_the_models_text_is_short_and_clean(text):
    prepared = t.for_model(text * 50)
    assert len(prepared) <= t.MODEL_CHARS
    assert t.clean(prepared) == prepared
    assert prepared == " ".join(prepared.split())


def test_the_hash_goes_with_what_the_model_reads():
    assert t.content_hash("すごーーい https://a.example") == t.content_hash("すごーい https://b.example/c")
    assert t.content_hash("良い") != t.content_hash("悪い")
    assert len(t.content_hash("\ud800")) == 32


# ------------------------------------------------------------------ language
@pytest.mark.parametrize(
    ("text", "declared", "expected"),
    [
        ("今日は寒い", None, "ja"),
        ("ｽｺﾞｲ", "en", "ja"),
        ("最高", "ja", "ja"),
        ("最高", None, "und"),
        ("我喜歡の咖啡味道好得很", "zh-TW", "zh"),
        ("the latte is not bad", None, "en"),
        ("I love すし and the view", "en", "en"),
        ("ok", "und", "und"),
        ("bonjour tout le monde", "fr_FR", "fr"),
        ("맛있다", None, "ko"),
        ("", None, "und"),
        ("😀", "qme", "und"),
    ],
)
def test_language_is_a_guess_that_stays_modest(text, declared, expected):
    assert t.language(text, declared) == expected
