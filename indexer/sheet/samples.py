# ruff: noqa: RUF001  # letters of other scripts are the point here
"""What a sheet shows: the sample for each script, and the choice between them.

The sentences open article 1 of the Universal Declaration of Human Rights, except for the dead
scripts. A zero width space marks where a line may break between words written without a space.
"""

# mypy: allow-untyped-calls
# (fontTools has no types)

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from fontTools import unicodedata as scripts

CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SMALL = "abcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
PUNCTUATION = ".,:;!?'\"“”‘’()[]{}/\\|*&@#$%€+-–=<>_~^«»…"
PANGRAM = "The quick brown fox jumps over the lazy dog."

LATIN_LETTERS = 20  # from here a font is shown in Latin, whatever else it covers
MAX_LETTERS = 60  # of a script whose alphabet is not written out below
MAX_SYMBOLS = 96
SPREAD_FROM = 0x80  # symbol fonts often keep plain ASCII letters beside their pictures

BREAK = "\u200b"
JOINERS = frozenset("\u200c\u200d")  # shapers read them and draw nothing, in the font or not
TSHEG = "\u0f0b"

Direction = Literal["ltr", "rtl"]


@dataclass(frozen=True, kw_only=True)
class Script:
    """How a script is sampled."""

    language: str  # BCP 47, for the font's localised forms
    text: str
    letters: str = ""  # empty: the font's own letters in code point order
    direction: Direction = "ltr"


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A run of pieces that starts on a line of its own."""

    pieces: tuple[str, ...]  # single characters, or words of running text
    kind: Literal["characters", "words", "unspaced"]
    direction: Direction = "ltr"
    language: str = "en"


SCRIPTS: dict[str, Script] = {
    "Grek": Script(
        language="el",
        letters="ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩαβγδεζηθικλμνξοπρσςτυφχψω",
        text="Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
    ),
    "Cyrl": Script(
        language="ru",
        letters="АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдежзийклмнопрстуфхцчшщъыьэюя",
        text="Все люди рождаются свободными и равными в своем достоинстве и правах.",
    ),
    "Arab": Script(
        language="ar",
        letters="ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
        text="يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق.",
        direction="rtl",
    ),
    "Hebr": Script(
        language="he",
        letters="אבגדהוזחטיכלמנסעפצקרשתךםןףץ",
        text="כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.",
        direction="rtl",
    ),
    "Syrc": Script(
        language="syr",
        letters="ܐܒܓܕܗܘܙܚܛܝܟܠܡܢܣܥܦܨܩܪܫܬ",
        text="ܟܠ ܒܪܢܫܐ ܒܪܝܠܗ ܚܐܪܐ ܘܒܪܒܪ ܓܘ ܐܝܩܪܐ ܘܙܕܩܐ.",
        direction="rtl",
    ),
    "Thaa": Script(
        language="dv",
        text="ހުރިހާ އިންސާނުންވެސް ދުނިޔެއަށް އުފަންވަނީ، މިނިވަންކަމުގައި، ހަމަހަމަ ޙައްޤުތަކަކާއެކު، ހަމަހަމަ ދަރަޖައެއްގައި",
        direction="rtl",
    ),
    "Deva": Script(
        language="hi",
        text="सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
    ),
    "Beng": Script(
        language="bn",
        text="সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে।",
    ),
    "Taml": Script(
        language="ta",
        text="மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்; அவர்கள் மதிப்பிலும், "
        "உரிமைகளிலும் சமமானவர்கள்.",
    ),
    "Telu": Script(
        language="te",
        text="ప్రతిపత్తిస్వత్వముల విషయమున మానవులెల్లరును జన్మతః స్వతంత్రులును సమానులును నగుదురు.",
    ),
    "Knda": Script(
        language="kn",
        text="ಎಲ್ಲಾ ಮಾನವರೂ ಸ್ವತಂತ್ರರಾಗಿಯೇ ಜನಿಸಿದ್ದಾರೆ. ಹಾಗೂ ಘನತೆ ಮತ್ತು ಹಕ್ಕುಗಳಲ್ಲಿ ಸಮಾನರಾಗಿದ್ದಾರೆ.",
    ),
    "Mlym": Script(
        language="ml",
        text="മനുഷ്യരെല്ലാവരും തുല്യാവകാശങ്ങളോടും അന്തസ്സോടും സ്വാതന്ത്ര്യത്തോടുംകൂടി ജനിച്ചിട്ടുള്ളവരാണ്.",
    ),
    "Gujr": Script(
        language="gu",
        text="પ્રતિષ્ઠા અને અધિકારોની દૃષ્ટિએ સર્વ માનવો જન્મથી સ્વતંત્ર અને સમાન હોય છે.",
    ),
    "Guru": Script(
        language="pa",
        text="ਸਾਰਾ ਮਨੁੱਖੀ ਪਰਿਵਾਰ ਆਪਣੀ ਮਹਿਮਾ, ਸ਼ਾਨ ਅਤੇ ਹੱਕਾਂ ਦੇ ਪੱਖੋਂ ਜਨਮ ਤੋਂ ਹੀ ਆਜ਼ਾਦ ਹੈ।",
    ),
    "Orya": Script(
        language="or",
        text="ସବୁ ମନୁଷ୍ୟ ଜନ୍ମକାଳରୁ ସ୍ୱାଧୀନ। ସେମାନଙ୍କର ମର୍ଯ୍ୟାଦା ଓ ଅଧିକାର ସମାନ।",
    ),
    "Sinh": Script(
        language="si",
        text="සියලු මනුෂ්\u200dයයෝ නිදහස්ව උපත ලබා ඇත. ගරුත්වයෙන් හා අයිතිවාසිකම්වලින් සමාන වෙති.",
    ),
    "Thai": Script(
        language="th",
        text="มนุษย์\u200bทั้งหลาย\u200bเกิดมา\u200bมี\u200bอิสระ\u200bและ\u200bเสมอภาค\u200bกัน\u200b"
        "ใน\u200bเกียรติศักดิ์\u200bและ\u200bสิทธิ",
    ),
    "Laoo": Script(
        language="lo",
        text="ມະນຸດ\u200bທຸກຄົນ\u200bເກີດມາ\u200bມີ\u200bກຽດສັກສີ, ສິດທິ, ເສລີພາບ ແລະ "
        "ຄວາມ\u200bສະເໝີພາບ\u200bເທົ່າທຽມ\u200bກັນ",
    ),
    "Khmr": Script(
        language="km",
        text="មនុស្ស\u200bទាំងអស់ កើត\u200bមក\u200bមាន\u200bសេរីភាព និង\u200bសមភាព "
        "ក្នុង\u200bផ្នែក\u200bសេចក្ដី\u200bថ្លៃថ្នូរ\u200bនិង\u200bសិទ្ធិ។",
    ),
    "Mymr": Script(
        language="my",
        text="လူတိုင်းသည် တူညီ လွတ်လပ်သော ဂုဏ်သိက္ခာဖြင့် လည်းကောင်း၊ တူညီလွတ်လပ်သော "
        "အခွင့်အရေးများဖြင့် လည်းကောင်း၊ မွေးဖွားလာသူများ ဖြစ်သည်။",
    ),
    "Tibt": Script(
        language="bo",
        text="འགྲོ་བ་མིའི་རིགས་རྒྱུད་ཡོངས་ལ་སྐྱེས་ཙམ་ཉིད་ནས་ཆེ་མཐོངས་དང༌། ཐོབ་ཐང་གི་རང་དབང་འདྲ་མཉམ་དུ་ཡོད་ལ།",
    ),
    "Geor": Script(
        language="ka",
        letters="აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ",
        text="ყველა ადამიანი იბადება თავისუფალი და თანასწორი თავისი ღირსებითა და უფლებებით.",
    ),
    "Armn": Script(
        language="hy",
        letters="ԱԲԳԴԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅՆՇՈՉՊՋՌՍՎՏՐՑՒՓՔՕՖաբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆ",
        text="Բոլոր մարդիկ ծնվում են ազատ ու հավասար իրենց արժանապատվությամբ ու իրավունքներով։",
    ),
    "Ethi": Script(
        language="am",
        letters="ሀለሐመሠረሰሸቀበተቸኀነኘአከኸወዐዘዠየደጀገጠጨጰጸፀፈፐ",
        text="የሰው ልጅ ሁሉ ሲወለድ ነጻና በክብርና በመብትም እኩልነት ያለው ነው።",
    ),
    "Hang": Script(
        language="ko",
        letters="가나다라마바사아자차카타파하거너더러머버서어저처커터퍼허한글꽃빛봄잎",
        text="모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
    ),
    "Hans": Script(
        language="zh-Hans",
        letters="永一人大天不中上下日月水火山木金土心手口田力国书语东风云飞龙马鸟鱼爱",
        text="人人生而自由，在尊严和权利上一律平等。",
    ),
    "Hant": Script(
        language="zh-Hant",
        letters="永一人大天不中上下日月水火山木金土心手口田力國書語東風雲飛龍馬鳥魚愛",
        text="人人生而自由，在尊嚴和權利上一律平等。",
    ),
    "Jpan": Script(
        language="ja",
        letters="あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほアイウエオカキクケコ永国東語",
        text="すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    ),
    "Mong": Script(
        language="mn",
        text="ᠬᠦᠮᠦᠨ ᠪᠦᠷ ᠲᠥᠷᠥᠵᠦ ᠮᠡᠨᠳᠡᠯᠡᠬᠦ ᠡᠷᠬᠡ ᠴᠢᠯᠥᠭᠡ ᠲᠡᠢ᠂ ᠠᠳᠠᠯᠢᠬᠠᠨ ᠨᠡᠷ᠎ᠡ ᠲᠥᠷᠥ ᠲᠡᠢ᠃",
    ),
    "Cher": Script(language="chr", text="ᏂᎦᏓ ᎠᏂᏴᏫ ᏂᎨᎫᏓᎸᎾ ᎠᎴ ᎤᏂᏠᏱ ᎤᎾᏕᎿ ᏚᏳᎧᏛ ᎨᏒᎢ."),
    "Cans": Script(
        language="iu",
        text="ᐃᓅᔪᓕᒫᑦ ᐊᓂᖅᑎᕆᔪᓕᒫᑦ ᐃᓅᓚᐅᕐᒪᑕ ᐃᓱᒪᕐᓱᕐᖢᑎᒃ ᐊᒻᒪ ᐊᔾᔨᐅᖃᑎᒌᒃᖢᑎᒃ",
    ),
    "Tfng": Script(language="zgh", text="ⴰⵔ ⴷ ⵜⵜⵍⴰⵍⴰⵏ ⵎⵉⴷⴷⵏ ⴳⴰⵏ ⵉⵍⵍⵍⵉⵜⵏ ⵎⴳⴰⴷⴷⴰⵏ ⵖ ⵡⴰⴷⴷⵓⵔ ⴷ ⵉⵣⵔⴼⴰⵏ"),
    "Goth": Script(language="got", text="𐌰𐍄𐍄𐌰 𐌿𐌽𐍃𐌰𐍂 𐌸𐌿 𐌹𐌽 𐌷𐌹𐌼𐌹𐌽𐌰𐌼 𐍅𐌴𐌹𐌷𐌽𐌰𐌹 𐌽𐌰𐌼𐍉 𐌸𐌴𐌹𐌽"),
    "Runr": Script(language="ang", text="ᚠᛇᚻ ᛒᛦᚦ ᚠᚱᚩᚠᚢᚱ ᚠᛁᚱᚪ ᚷᛖᚻᚹᛦᛚᚳᚢᛗ"),
}
EAST_ASIAN = {"Hani", "Hira", "Kana", "Bopo"}


def is_visible(character: str) -> bool:
    """Whether a character stands for a mark on paper of its own: no space, control or accent."""
    return unicodedata.category(character)[0] in "LNPS" or _is_picture(character)


def latin_segments(present: Collection[str]) -> list[Segment]:
    """The sheet of a Latin font, of the characters that it can draw."""
    return _segments(
        [CAPITALS, SMALL, DIGITS + PUNCTUATION],
        max((PANGRAM, PANGRAM.upper(), PANGRAM.lower()), key=lambda text: _covered(text, present)),
        present,
    )


def script_segments(present: Collection[str]) -> list[Segment]:
    """The sheet of the script that the characters cover best; empty for fonts of pictures."""
    letters = [c for c in sorted(present) if unicodedata.category(c) in ("Lu", "Ll", "Lt", "Lo")]
    counts = Counter(scripts.script(c) for c in letters)
    counts.pop("Zzzz", None)
    counts.pop("Zyyy", None)
    if not counts:
        return []
    code = min(counts, key=lambda name: (-counts[name], name))
    if counts[code] < sum(_is_picture(c) for c in present):
        return []
    if code == "Latn":
        return latin_segments(present)
    script = _east_asian(present) if code in EAST_ASIAN else SCRIPTS.get(code)
    own = "".join(c for c in letters if scripts.script(c) == code)[:MAX_LETTERS]
    digits = "".join(
        c for c in sorted(present) if c.isdecimal() and scripts.script_extension(c) & {code}
    )[:10]
    marks = DIGITS + ".,:;!?()"
    if script is None:
        direction: Direction = (
            "rtl" if scripts.script_horizontal_direction(code) == "RTL" else "ltr"
        )
        return _segments([own, digits], "", present, direction=direction, language="und")
    alphabet = script.letters if _covered(script.letters, present) else own
    lists = [alphabet, digits + marks] if script.direction == "ltr" else [alphabet, digits]
    return _segments(
        lists,
        script.text,
        present,
        direction=script.direction,
        language=script.language,
    )


def symbol_segments(present: Iterable[str]) -> list[Segment]:
    """The sheet of a font of pictures: its characters, evenly spread over all that it has.

    Spread and not the first ones: an emoji font opens with arrows and keycaps.
    """
    own = sorted(c for c in present if is_visible(c))
    pictures = [c for c in own if ord(c) >= SPREAD_FROM] or own
    count = min(len(pictures), MAX_SYMBOLS)
    spread = tuple(pictures[i * len(pictures) // count] for i in range(count))
    return [Segment(pieces=spread, kind="characters")] if spread else []


def _segments(
    lists: Iterable[str],
    text: str,
    present: Collection[str],
    *,
    direction: Direction = "ltr",
    language: str = "en",
) -> list[Segment]:
    rows: list[Segment] = []
    for characters in lists:
        pieces = tuple(c for c in characters if c in present)
        if pieces:
            rows.append(
                Segment(pieces=pieces, kind="characters", direction=direction, language=language)
            )
    unspaced = BREAK in text or TSHEG in text or " " not in text
    words = _words(text, present)
    if words:
        rows.append(
            Segment(
                pieces=words,
                kind="unspaced" if unspaced else "words",
                direction=direction,
                language=language,
            )
        )
    return rows


def _words(text: str, present: Collection[str]) -> tuple[str, ...]:
    """The words that the font can spell; a word that lacks a letter is no word."""
    if BREAK in text or TSHEG in text:  # what spaces there are stay with the word before
        parts = text.replace(TSHEG, TSHEG + BREAK).replace(" ", " " + BREAK).split(BREAK)
    else:
        parts = text.split(" ") if " " in text else list(text)
    words = []
    for part in parts:
        letters = [c for c in part if c not in JOINERS and unicodedata.category(c)[0] not in "PZ"]
        if all(c in present for c in letters) and (letters or part in present):
            words.append("".join(c for c in part if c in present or c in JOINERS))
    return tuple(word for word in words if word)


def _east_asian(present: Collection[str]) -> Script:
    options = (SCRIPTS["Hans"], SCRIPTS["Hant"], SCRIPTS["Jpan"])
    return max(options, key=lambda script: _covered(script.text + script.letters, present))


def _covered(text: str, present: Collection[str]) -> float:
    """The share of a text's characters that can be drawn."""
    return sum(c in present for c in text) / max(len(text), 1)


def _is_picture(character: str) -> bool:
    return unicodedata.category(character) in ("So", "Co")
