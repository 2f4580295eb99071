"""Which scripts a character map covers, under the names that Google's subsets have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from fontTools import unicodedata

# A script counts when all of these are there: enough letters that a few borrowed signs (the Greek
# of physics, the Cyrillic of a logo) are not taken for a script.
LETTERS = {
    "adlam": "𞤀𞤁𞤂𞤃𞤄𞤢𞤣𞤤𞤥",
    "arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "armenian": "ԱԲԳԴԵԶաբգդեզթժիլխծկհ",
    "balinese": "ᬓᬔᬕᬖᬗᬘᬚᬢᬤᬦ",
    "bengali": "অআইউএকখগঘচছজটডতথদধনপফবভমযরলশষসহ",
    "braille": "⠁⠃⠉⠙⠑⠋⠛⠓⠊⠚",
    "canadian-aboriginal": "ᐁᐃᐅᐊᐯᐱᐳᐸᑌᑎᑐᑕ",
    "cherokee": "ᎠᎡᎢᎣᎤᎥᎦᎧᎨᎩᎪᎫ",
    "chinese-simplified": "的一国这们说时对会来为",
    "chinese-traditional": "的一國這們說時對會來為",
    "cyrillic": "АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдежзийклмнопрстуфхцчшщъыьэюя",
    "cyrillic-ext": "ҐґҒғҚқҢңҮүҰұҺһӘәӨө",
    "devanagari": "अआइईउऊएऐओऔकखगघचछजझटठडढणतथदधनपफबभमयरलवशषसह",
    "emoji": "😀😁😂😃😄😅😆😉😊😋",
    "ethiopic": "ሀለሐመሠረሰቀበተኀነአከወዐዘየደገጠጸፈፐ",
    "georgian": "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ",
    "greek": "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩαβγδεζηθικλμνξοπρςστυφχψω",
    "greek-ext": "ἀἁἂἃἄἐἑἠἡἰἱὀὁὐὑὠὡᾳᾶῆῖ",
    "gujarati": "અઆઇઉકખગઘચછજઝટઠડઢતથદધનપફબભમયરલવશષસહ",
    "gurmukhi": "ਅਆਇਉਕਖਗਘਚਛਜਝਟਠਡਢਤਥਦਧਨਪਫਬਭਮਯਰਲਵਸਹ",
    "hebrew": "אבגדהוזחטיךכלםמןנסעףפץצקרשת",
    "japanese": "あいうえおかきくけこアイウエオカキクケコ日本語",
    "javanese": "ꦏꦒꦔꦕꦗꦠꦢꦤꦥꦧꦩ",
    "kannada": "ಅಆಇಉಕಖಗಘಚಛಜಝಟಠಡಢತಥದಧನಪಫಬಭಮಯರಲವಶಷಸಹ",
    "khmer": "កខគឃងចឆជឈញដឋឌឍណតថទធនបផពភមយរលវសហ",
    "korean": "가각나다라마바사아자차카타파하한글",
    "lao": "ກຂຄງຈສຊຍດຕຖທນບປຜຝພຟມຢລວຫອຮ",
    "latin": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "latin-ext": "ĀāĂăĄąĆćČčĎďĒēĘęĚěĞğĪīŁłŃńŇňŌōŐőŘřŚśŞşŠšŤťŪūŮůŰűŹźŻżŽž",
    "malayalam": "അആഇഉകഖഗഘചഛജഝടഠഡഢതഥദധനപഫബഭമയരലവശഷസഹ",
    "mongolian": "ᠠᠡᠢᠣᠤᠥᠦᠨᠩᠪᠫ",
    "myanmar": "ကခဂဃငစဆဇဈညဋဌဍဎဏတထဒဓနပဖဗဘမယရလဝသဟ",
    "nko": "ߊߋߌߍߎߏߐߓߔߕ",
    "oriya": "ଅଆଇଉକଖଗଘଚଛଜଝଟଠଡଢତଥଦଧନପଫବଭମଯରଲଶଷସହ",
    "runic": "ᚠᚢᚦᚨᚱᚲᚷᚹᚺᚾᛁᛃ",
    "sinhala": "අආඉඋකඛගඝචඡජඣටඨඩඪතථදධනපඵබභමයරලවශෂසහ",
    "syriac": "ܐܒܓܕܗܘܙܚܛܝܟܠܡܢ",
    "tamil": "அஆஇஈஉஊஎஏஐஒஓகஙசஞடணதநபமயரலவழளறன",
    "telugu": "అఆఇఉకఖగఘచఛజఝటఠడఢతథదధనపఫబభమయరలవశషసహ",
    "thaana": "ހށނރބޅކއވމފދތލގ",
    "thai": "กขคฆงจฉชซฌญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรลวศษสหฬอฮ",
    "tibetan": "ཀཁགངཅཆཇཉཏཐདནཔཕབམཙཚཛཝཞཟའཡརལཤསཧཨ",
    "tifinagh": "ⴰⴱⴳⴷⴹⴻⴼⴽⵀⵃⵄ",
    "vietnamese": "ĂăĐđĨĩŨũƠơƯưẠạẢảẤấẦầẨẩẪẫẬậẮắẰằẲẳẴẵẶặẸẹẺẻẼẽẾếỀềỂểỄễỆệ",
}
MIN_CHARACTERS = 10  # characters of a script, where it is the only one
_CODES = {tag: frozenset(map(ord, letters)) for tag, letters in LETTERS.items()}


def covered_scripts(cmap: Collection[int]) -> tuple[str, ...]:
    """The scripts whose everyday letters the character map has, in alphabetical order.

    A font that completes none of them gets the script that most of its characters belong to: rare
    scripts, and display fonts with capitals only.
    """
    covered = tuple(tag for tag, codes in _CODES.items() if all(code in cmap for code in codes))
    if covered:
        return covered
    count = Counter(_script(code) for code in sorted(cmap))
    for script, characters in count.most_common():
        if script not in ("Zyyy", "Zinh", "Zzzz") and characters >= MIN_CHARACTERS:
            return (_name(script),)
    return ()


def subsets_of(tags: Iterable[str] | None) -> list[str]:
    """Those of a family's tags that are scripts, in alphabetical order: the importer puts them there."""
    return sorted(tag for tag in tags or () if tag in LETTERS)


def _script(code: int) -> str:
    return str(unicodedata.script(chr(code)))  # type: ignore[no-untyped-call]  # fontTools has none


def _name(script: str) -> str:
    name = str(unicodedata.script_name(script))  # type: ignore[no-untyped-call]  # as above
    return name.lower().replace("_", "-").replace(" ", "-")
