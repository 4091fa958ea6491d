"""What the rules of photographs and the codes of the document workers mean to a person, in Chinese and English.

The services add `REFUSALS` to their own table; pages and problem bodies show `explain(result)` for every rule that a
photograph broke, so that nobody is refused without being told what was measured and what is asked.
"""

from shared.documents.photo_rules import RuleResult
from shared.kernel.errors import Refusal

REFUSALS: dict[str, Refusal] = {
    "documents.characters_not_printable": Refusal(
        422,
        "“{fields}”含有无法打印的字符：{characters}，请联系工作人员处理。",
        "{fields}: characters that cannot be printed: {characters}; ask the office.",
    ),
    "documents.busy": Refusal(
        503, "正在处理的照片较多，请稍后再试。", "Many photographs are being checked; try again soon."
    ),
    "documents.too_slow": Refusal(
        422, "照片处理超时，请重新拍摄或另存后再上传。", "The photograph took too long to check; take or save it anew."
    ),
    "documents.worker_ended": Refusal(
        503, "照片处理中断，请稍后重新上传。", "Checking the photograph was interrupted; upload it again in a while."
    ),
}

_ARCHIVES: dict[str, tuple[str, str]] = {
    "documents.archive_wrong_format": (
        "文件是 {kind}，应为 {allowed} 压缩包。",
        "The file is {kind}; it must be an archive: {allowed}.",
    ),
    "documents.archive_too_many_bytes": (
        "压缩包 {megabytes} MB，超过 {limit} MB。",
        "The archive has {megabytes} MB, over the limit of {limit} MB.",
    ),
    "documents.archive_damaged": (
        "压缩包已损坏或不完整，请重新压缩为 zip 后上传。",
        "The archive is damaged or incomplete; make it anew, as zip.",
    ),
    "documents.archive_encrypted": (
        "压缩包设有密码，请去除密码后重新压缩上传。",
        "The archive is encrypted; make it anew without a password.",
    ),
    "documents.archive_in_volumes": (
        "不支持分卷压缩，请压缩为一个文件。",
        "The archive is one of several volumes; make it one file.",
    ),
    "documents.archive_method_unknown": (
        "压缩方式不支持，请用一般方式重新压缩为 zip。",
        "It is packed in a way that is not supported; make it anew, as zip.",
    ),
    "documents.archive_needs_memory": (
        "压缩包的字典超过 {limit} MB，请用一般方式重新压缩为 zip。",
        "Its dictionary is over {limit} MB; make it anew, as zip.",
    ),
    "documents.archive_empty": ("压缩包里没有文件。", "There is no file in the archive."),
    "documents.archive_too_many_files": (
        "压缩包里有 {count} 项，最多 {limit} 个文件。",
        "There are {count} entries in the archive; {limit} files at most.",
    ),
    "documents.archive_unpacked_too_large": (
        "压缩包解压后超过 {limit} MB。",
        "Unpacked, the archive is over {limit} MB.",
    ),
    "documents.archive_ratio_too_high": (
        "压缩包解压后超过原大小的 {limit} 倍，不予接收。",
        "Unpacked, the archive is over {limit} times its size.",
    ),
    "documents.archive_size_untrue": (
        "压缩包第 {place} 项的大小与所写不符，请重新压缩。",
        "Entry {place} has another size than is declared; make it anew.",
    ),
    "documents.archive_path_escapes": (
        "压缩包第 {place} 项的路径不允许（绝对路径或上级目录）。",
        "The path of entry {place} is absolute or leads out of the archive.",
    ),
    "documents.archive_holds_links": (
        "压缩包第 {place} 项是链接，请放入文件本身。",
        "Entry {place} is a link; put in the file itself.",
    ),
    "documents.archive_name_unreadable": (
        "压缩包里有文件名无法识别（第 {place} 项），请改名后重新压缩。",
        "A name in the archive cannot be read (entry {place}); give it another one.",
    ),
    "documents.archive_duplicate_names": (
        "压缩包第 {place} 项与前面的文件同名。",
        "Entry {place} has the name of one before it.",
    ),
    "documents.archive_overlaps": (
        "压缩包内文件互相重叠，不予接收。",
        "Files in the archive lie over each other.",
    ),
    "documents.archive_hides_content": (
        "压缩包内有目录未列出的内容，请重新压缩。",
        "The archive has content that its directory does not list.",
    ),
    "documents.archive_nested": (
        "压缩包第 {place} 项是另一个压缩包或 Office 文档，请直接放入图片或 PDF。",
        "Entry {place} is an archive or an Office document; put in pictures or PDF.",
    ),
    "documents.archive_holds_program": (
        "压缩包第 {place} 项是程序或脚本，不予接收。",
        "Entry {place} is a program or a script.",
    ),
    "documents.archive_holds_other_kind": (
        "压缩包第 {place} 项是 {kind}，只接收 {allowed}。",
        "Entry {place} is {kind}; allowed are {allowed}.",
    ),
    "documents.archive_no_such_file": (
        "压缩包里没有第 {place} 项文件。",
        "There is no file at place {place} of the archive.",
    ),
}

REFUSALS |= {
    code: Refusal(404 if code.endswith("no_such_file") else 422, zh, en) for code, (zh, en) in _ARCHIVES.items()
}

RULES: dict[str, tuple[str, str]] = {
    "photo.empty": ("文件是空的。", "The file is empty."),
    "photo.wrong_format": ("文件格式为 {measured}，应为 {limit}。", "The file is {measured}; it must be {limit}."),
    "photo.unreadable": (
        "照片文件已损坏或不完整，请重新上传。",
        "The picture file is damaged or incomplete; upload it again.",
    ),
    "photo.too_many_pixels": (
        "照片像素数 {measured} 超过上限 {limit}。",
        "The picture has {measured} pixels, over the limit of {limit}.",
    ),
    "photo.too_few_bytes": ("文件大小 {measured}，不足 {limit}。", "The file has {measured}, less than {limit}."),
    "photo.too_many_bytes": (
        "文件大小 {measured}，超过 {limit}。",
        "The file has {measured}, over the limit of {limit}.",
    ),
    "photo.wrong_colours": (
        "照片色彩模式为 {measured}，应为 {limit}。",
        "The picture's colours are {measured}; they must be {limit}.",
    ),
    "photo.too_small": (
        "照片宽×高为 {measured} 像素，小于要求的 {limit}。",
        "The picture has {measured} pixels, below {limit}.",
    ),
    "photo.too_large": (
        "照片宽×高为 {measured} 像素，大于要求的 {limit}。",
        "The picture has {measured} pixels, above {limit}.",
    ),
    "photo.wrong_aspect": (
        "照片宽高比为 {measured}，应为 {limit}。",
        "Width to height is {measured}; it must be {limit}.",
    ),
    "photo.too_blurred": (
        "照片不清晰（清晰度 {measured}，要求不低于 {limit}），请保持稳定、重新拍摄。",
        "The picture is blurred (sharpness {measured}, at least {limit} asked); hold still and take it again.",
    ),
    "photo.mostly_background": (
        "证件只占画面的 {measured}（要求不低于 {limit}），请靠近拍摄，或先用扫描软件处理，仅保留证件。",
        "The document fills {measured} of the picture (at least {limit} asked); go closer or use a scanning app.",
    ),
    "photo.wrong_background": (
        "照片背景只有 {measured} 符合要求的颜色（{limit}）。",
        "Only {measured} of the background has a colour asked for ({limit}).",
    ),
    "photo.glare": (
        "照片有反光（占 {measured}），请避开灯光后重拍更稳妥。",
        "A reflection covers {measured} of the picture; another one without it is safer.",
    ),
}
"""Of every rule of a photograph; never codes of an answer. `photo.glare` is a hint and refuses nothing."""

_COLOURS = {"white": "白", "white_grey": "白灰", "light_blue": "淡蓝", "blue": "蓝"}


def explain(result: RuleResult) -> tuple[str, str]:
    """One rule in Chinese and English, with the measured value and the limit as people write them."""
    texts = RULES[result.code]
    chinese, english = (
        {"measured": _shown(result, result.measured, zh), "limit": _shown(result, result.limit, zh)}
        for zh in (True, False)
    )
    return texts[0].format(**chinese), texts[1].format(**english)


def _shown(result: RuleResult, value: object, zh: bool) -> str:
    match value:
        case tuple() if all(isinstance(part, int) for part in value):
            return "×".join(str(part or ("不限" if zh else "any")) for part in value)
        case tuple():
            words = [_COLOURS.get(str(part), str(part)) if zh else str(part) for part in value]
            return ("、" if zh else ", ").join(words)
        case int() if result.code.endswith("_bytes"):
            return _size(value)
        case float() if result.code in ("photo.mostly_background", "photo.wrong_background", "photo.glare"):
            return f"{value:.1%}"
        case "unknown":
            return "未知格式" if zh else "of an unknown kind"
        case _:
            return str(value)


def _size(count: int) -> str:
    """Exact below 10 KB and never rounded onto the limit: 51,201 bytes are not "50.0 KB"."""
    for unit, size in (("MB", 1 << 20), ("KB", 1 << 10)):
        if count >= size and round(count / size, 2) * size == count:
            return f"{count / size:g} {unit}"
    return f"{count:,} B" if count < 1 << 20 else f"{count / (1 << 20):.2f} MB ({count:,} B)"
