"""Every refusal of exemption by its code, with the texts people read. Looked up by the API's edge and by `form.py`."""

from shared.kernel.errors import COMMON, Refusal, Refused

REFUSALS: dict[str, Refusal] = {
    # windows and cycles
    "exemption.window_closed": Refusal(
        409, "“{window}”已于 {ended} 截止，逾期不予受理。", "“{window}” closed at {ended}; it is too late."
    ),
    "exemption.window_not_open_yet": Refusal(
        409, "“{window}”现在不在开放时间内，下次开放时间为 {opens}。", "“{window}” is not open; it opens at {opens}."
    ),
    "exemption.cycle_closed": Refusal(409, "本批次已关闭，不再受理。", "This cycle has been closed."),
    "exemption.cycle_already_open": Refusal(409, "该批次已经开放。", "This cycle is already open."),
    "exemption.no_such_scheme": Refusal(404, "没有该办理事项。", "There is no such scheme."),
    "exemption.no_home": Refusal(404, "该地区没有考生首页。", "There is no home page for that jurisdiction."),
    "exemption.no_such_window": Refusal(422, "该批次没有这一时间段。", "The cycle has no such window."),
    "exemption.no_such_organisation": Refusal(422, "没有该机构。", "There is no such organisation."),
    "exemption.organisation_of_another_jurisdiction": Refusal(
        422,
        "该机构不属于本办理事项所在的地区。",
        "That organisation is of another jurisdiction than this procedure.",
    ),
    "exemption.wrong_windows": Refusal(
        422, "须且仅须填写这些时间段：{needed}。", "Give exactly these windows: {needed}."
    ),
    "exemption.impossible_window": Refusal(
        422, "“{purpose}”时间段不合理：{faults}。", "Window {purpose} makes no sense: {faults}."
    ),
    "exemption.window_not_over": Refusal(409, "该时间段至 {ends} 才结束。", "The window is not over before {ends}."),
    "exemption.window_without_dates": Refusal(
        422,
        "规则中没有公布“{purpose}”时间段的日期，请填写起止日期。",
        "The book announces no dates for {purpose}: give them.",
    ),
    "exemption.holidays_not_known": Refusal(
        422,
        "系统尚不知道 {year} 年的节假日安排，请逐日填写不办理的日期。",
        "The public holidays of {year} are not known here: name the days that are left out one by one.",
    ),
    "exemption.extension_of_days_off": Refusal(
        422,
        "“{purpose}”延长至 {to_day} 的各日均不办理，等于没有延长。",
        "Until {to_day} there are only days off: that would not extend {purpose}.",
    ),
    "exemption.extension_not_later": Refusal(
        422, "只能延期：须晚于原截止日 {ends}，且不早于今天。", "A window can only be extended beyond {ends} and today."
    ),
    # drafts and forms
    "exemption.already_started": Refusal(409, "该申请已经建立。", "This application was already started."),
    "exemption.already_submitted": Refusal(
        409,
        "申请已提交，不能修改；如被驳回可修改后重新提交。",
        "Handed in: it cannot be edited unless sent back.",
    ),
    "exemption.not_a_draft": Refusal(409, "只有未提交的申请可以放弃。", "Only a draft can be given up."),
    "exemption.ended": Refusal(409, "该申请已办结，不能再办理。", "This application has ended."),
    "exemption.unknown_field": Refusal(
        422, "有 {count} 个填写项不属于此处，请刷新后再试。", "{count} fields are not asked here; reload."
    ),
    "exemption.unknown_slot": Refusal(
        422, "有 {count} 个照片项不属于此处，请刷新后再试。", "{count} photographs are not asked here; reload."
    ),
    "exemption.not_text": Refusal(422, "“{field}”应为文字。", "“{field}” must be text."),
    "exemption.form_wrong": Refusal(
        422, "有 {count} 处需要修改，详见各项说明。", "{count} things must be put right; see each of them."
    ),
    "exemption.missing": Refusal(422, "请填写或上传“{label}”。", "“{label}” is missing."),
    "exemption.not_on_the_list": Refusal(422, "请从系统选项中选择。", "Choose one of the options."),
    "exemption.does_not_fit_the_pattern": Refusal(
        422, "格式不正确，例如：{example}。", "The format is wrong; an example: {example}."
    ),
    "exemption.not_a_date": Refusal(422, "请填写有效日期，例如 2030-12-31。", "Not a date; an example: 2030-12-31."),
    "exemption.not_a_month": Refusal(422, "请填写有效年月，例如 2019-03。", "Not a month; an example: 2019-03."),
    "exemption.in_the_future": Refusal(
        422, "日期不能晚于今天（{today}）。", "It cannot be in the future (today is {today})."
    ),
    "exemption.too_long_ago": Refusal(
        422, "日期不能早于{earliest}年，请核对。", "It cannot be before {earliest}: please look again."
    ),
    "exemption.not_a_number": Refusal(422, "请填写数字，例如 {example}。", "Not a number; an example: {example}."),
    "exemption.number_out_of_bounds": Refusal(
        422, "数值应在 {lowest} 至 {highest} 之间。", "It must lie between {lowest} and {highest}."
    ),
    "exemption.number_not_passing": Refusal(422, "数值不足 {passing}，不合格。", "Below {passing}, it does not count."),
    "exemption.not_so_many_numbers": Refusal(
        422,
        "须恰好填写 {count} 个数，用英文分隔符隔开，例如：{example}。",
        "Write exactly {count} numbers with the separator between them; an example: {example}.",
    ),
    "exemption.not_the_account_holder": Refusal(
        422, "与本人账号核验的信息不一致。", "This is not what your account was verified with."
    ),
    "exemption.account_not_known_yet": Refusal(
        409, "账号信息正在同步，请稍后再提交。", "Your account has just been made; try again in a moment."
    ),
    "exemption.organisation_not_in_this_cycle": Refusal(
        422, "所选机构不在本批次范围内。", "The organisation you chose takes no part in this cycle."
    ),
    "exemption.no_organisation_to_review": Refusal(
        409, "所选机构没有对应的审核单位（{level}）。", "Nobody at level {level} reviews for that organisation."
    ),
    "exemption.level_too_low": Refusal(
        422, "证书等级“{level}”低于免试要求的“{lowest}”。", "Level {level} is below the lowest accepted, {lowest}."
    ),
    "exemption.certificate_expired": Refusal(
        422, "证书已过有效期（今天 {today}）：{text}。", "The certificate is no longer valid (today is {today}): {text}"
    ),
    "exemption.certificate_in_another_application": Refusal(
        409, "您已用该证书提交过另一份申请。", "You have another application with this certificate."
    ),
    "exemption.certificate_claimed_twice": Refusal(
        422,
        "同一证书在本申请中重复填写，请核对证书编号。",
        "This certificate stands in this application twice; check its number.",
    ),
    "exemption.photograph_used_twice": Refusal(
        422,
        "每个证书须上传各自的照片，该照片已用于另一证书。",
        "Each certificate needs a photograph of its own; this one is another's.",
    ),
    "exemption.photographs_are_equal": Refusal(
        422,
        "该照片与另一证书的照片是同一文件，请核对。",
        "This photograph and that of another certificate are one file; check it.",
    ),
    "exemption.module_is_there_already": Refusal(
        422, "所选模块须与“{module}”不同。", "Choose another module: {module} has to be there in any case."
    ),
    "exemption.module_not_listed": Refusal(
        422, "“{module}”不在所列模块中，请核对。", "{module} is none of the modules that are listed; check it."
    ),
    "exemption.course_in_another_application": Refusal(
        409,
        "课程 {codes} 已在您的另一份申请中：{text}。",
        "Courses {codes} are in another application of yours: {text}",
    ),
    # who may, and how often
    "exemption.person_not_verified": Refusal(
        403, "不符合办理条件：{text}。", "Your identity was not verified there yet: {text}"
    ),
    "exemption.not_enrolled": Refusal(403, "不符合办理条件：{text}。", "Only for enrolled candidates: {text}"),
    "exemption.prior_education_not_there": Refusal(
        409, "不符合办理条件：{text}。", "Your prior education is not effective yet: {text}"
    ),
    "exemption.ticket_of_another_account": Refusal(
        409,
        "该准考证号已由其他账号使用，请核对；如有疑问请联系考试机构。",
        "Another account uses this admission ticket number; ask the examinations office.",
    ),
    "exemption.no_ticket_release": Refusal(409, "本事项不释放准考证号。", "No ticket number is released here."),
    "exemption.holds_no_ticket": Refusal(
        409, "该申请没有占用准考证号。", "This application keeps no ticket number from anybody."
    ),
    "exemption.ticket_released": Refusal(
        409,
        "该申请所用的准考证号已由工作人员释放，不能通过。",
        "The ticket number it was handed in with was released by a clerk, so it cannot pass.",
    ),
    "exemption.already_submitted_in_this_cycle": Refusal(
        409, "本批次已有申请：{text}。", "There is an application in this cycle already: {text}."
    ),
    "exemption.too_many_drafts": Refusal(
        409,
        "您在本批次填写中的申请已有 {most} 份，请先提交或放弃其中一份。",
        "You are filling in {most} applications of this cycle already: hand in or give up one of them.",
    ),
    "exemption.must_stay_as_it_was": Refusal(
        422, "重新提交时不能更改“{what}”。", "It cannot be changed when handing in again: {what}."
    ),
    "exemption.no_unlocking": Refusal(409, "本事项不能退回重新申请。", "Nothing can be handed in again here."),
    "exemption.unlocked_often_enough": Refusal(
        409, "重新申请机会已用完（{times} 次）。", "It was unlocked {times} times already, and no more are allowed."
    ),
    "exemption.not_everything_seen": Refusal(422, "须先查验：{items}。", "These must have been seen first: {items}."),
    # what it costs
    "exemption.pay_window_over": Refusal(
        409,
        "“{what}”的缴费时间已截止，须先延长缴费时间。",
        "“{what}” can no longer be paid: the window to pay in must be extended first.",
    ),
    "exemption.no_such_order": Refusal(
        404, "该申请没有缴费订单 {order}。", "No order {order} was paid for this application."
    ),
    # claims
    "exemption.unknown_basis": Refusal(
        422, "所选免考依据不属于此处，请刷新后重新选择。", "This basis is not one of here; reload and choose again."
    ),
    "exemption.draft_too_long": Refusal(422, "草稿最多保存 {most} 行。", "A draft keeps {most} rows at most."),
    "exemption.no_courses": Refusal(422, "请至少选择一门课程。", "Choose at least one course."),
    "exemption.course_not_offered": Refusal(
        422, "课程 {code} 不在该依据可申请的范围内。", "Course {code} cannot be claimed on this basis."
    ),
    "exemption.all_courses_needed": Refusal(
        422,
        "该依据的课程须全部申请，还缺：{missing}。",
        "All courses of this basis are claimed together; missing: {missing}.",
    ),
    "exemption.course_claimed_twice": Refusal(422, "课程 {codes} 重复申请。", "Claimed twice: {codes}."),
    "exemption.too_few": Refusal(
        422, "“{what}”至少 {least} 项，现有 {count} 项。", "At least {least} of {what}; there are {count}."
    ),
    "exemption.too_many": Refusal(
        422, "“{what}”最多 {most} 项，现有 {count} 项。", "At most {most} of {what}; there are {count}."
    ),
    "exemption.major_twice": Refusal(422, "专业 {majors} 重复选择。", "Chosen twice: major {majors}."),
    "exemption.no_such_major": Refusal(422, "没有专业 {majors}。", "There is no major {majors}."),
    "exemption.major_is_closing": Refusal(
        422, "停考专业 {majors}：{text}。", "Majors that are closing are for their own candidates ({text}): {majors}."
    ),
    "exemption.course_outside_the_majors": Refusal(
        422, "课程 {codes} 不符合：{text}。", "Courses outside the chosen majors ({text}): {codes}."
    ),
    "exemption.over_the_cap": Refusal(
        422, "最多可免 {most} 门，现申请 {count} 门：{codes}。", "At most {most} courses; {count} are claimed: {codes}."
    ),
    "exemption.fewer_than_expected": Refusal(
        422,
        "少于一览表所列，缺 {missing}{more}，请核对。",
        "Fewer than listed: missing {missing}{more}.",
    ),
    "exemption.more_than_expected": Refusal(422, "多于一览表所列：{more}，请核对。", "More than listed: {more}."),
    # courses and majors
    "exemption.course_code_malformed": Refusal(422, "课程代码为 5 位数字。", "A course code has 5 digits."),
    "exemption.no_such_course": Refusal(422, "没有课程代码 {code}，请核对。", "There is no course {code}."),
    "exemption.course_name_not_canonical": Refusal(
        422,
        "请填写课程的规范名称，不得简写：{code} {canonical}。",
        "Write the official name of the course in full: {code} {canonical}.",
    ),
    "exemption.course_code_and_name_disagree": Refusal(
        422,
        "课程代码与名称不一致：{code} 是“{canonical}”。",
        "Code and name do not agree: {code} is {canonical}.",
    ),
    "exemption.no_majors_listed": Refusal(404, "没有该地区的专业目录。", "No majors are listed there."),
    # photographs
    "exemption.no_such_photograph": Refusal(
        422, "照片无效，请重新上传。", "The photograph is not valid; upload it again."
    ),
    "exemption.photo_refused": Refusal(
        422, "照片不符合要求，共 {count} 项，详见实测值。", "The photograph fails {count} rules; see what was measured."
    ),
    "exemption.too_many_photographs": Refusal(
        429,
        "该照片今天已上传 {most} 次，请于 {again} 后再上传。",
        "This photograph was uploaded {most} times today; upload it again after {again}.",
    ),
    # review
    "exemption.stage_not_open": Refusal(409, "该申请不在“{stage}”环节。", "It is not waiting for {stage}."),
    "exemption.not_your_stage": Refusal(403, "该环节不由您审核。", "This stage is not yours to decide."),
    "exemption.your_own_application": Refusal(403, "不能审核本人的申请。", "You cannot review your own application."),
    "exemption.already_reviewed_by_you": Refusal(
        403,
        "您已审核过该申请的另一环节，须由他人审核。",
        "You decided another stage of it: somebody else must.",
    ),
    "exemption.checklist_unknown": Refusal(
        422, "有 {count} 个核对项不属于此处，请刷新后再试。", "{count} items are not asked here; reload."
    ),
    "exemption.checklist_incomplete": Refusal(422, "还有核对项未答：{items}。", "Items not answered: {items}."),
    "exemption.checklist_failed": Refusal(
        422, "有核对项不符合：{items}，不能通过。", "Items answered with no: {items}. It cannot pass."
    ),
    "exemption.no_such_reason": Refusal(422, "请从所列原因中选择：{known}。", "Choose a reason: {known}."),
    "exemption.no_such_document": Refusal(422, "没有该材料或填写项。", "There is no such document or field."),
    "exemption.no_such_outcome": Refusal(
        409, "“{stage}”环节不能这样处理。", "The stage {stage} does not end like that."
    ),
    "exemption.stage_not_begun": Refusal(
        409, "“{stage}”须在受理时间结束后开始。", "The stage {stage} begins when the window is over."
    ),
    "exemption.no_revocation": Refusal(409, "本事项不能撤销免考。", "Exemptions cannot be revoked here."),
    "exemption.nothing_to_crop": Refusal(
        422,
        "该照片无法裁剪为符合要求的照片，请重新拍摄或另选一张。{hint}",
        "This picture cannot be cut to what is asked; take or choose another one. {hint}",
    ),
    "exemption.no_form_document": Refusal(
        409, "该事项不提供申请表导出。", "The rules of this procedure offer no form to export."
    ),
    "exemption.no_receipt": Refusal(409, "提交后才有告知单。", "There is a receipt only for what was handed in."),
    "exemption.already_handed_off": Refusal(
        409, "申请记录已上报，不能再提交。", "It was handed off already, so nothing can take its place."
    ),
    "exemption.person_erased": Refusal(410, "该考生的个人信息已删除。", "The candidate's personal data was erased."),
    # after the decision
    "exemption.not_granted": Refusal(409, "只有通过终审的申请可以办理。", "Only for applications finally approved."),
    "exemption.no_record_table": Refusal(409, "本事项没有申请记录表。", "This scheme prints no record table."),
    "exemption.no_hand_off": Refusal(409, "本事项不需要上报。", "This scheme hands nothing off."),
    "exemption.batch_empty": Refusal(409, "没有可上报的申请记录。", "There is nothing to hand off."),
    "exemption.batch_of_two_senders": Refusal(
        422, "一批只能由一个单位上报。", "One batch comes from one organisation."
    ),
    "exemption.batch_too_large": Refusal(
        422, "每批最多 {most} 条，本批 {count} 条。", "At most {most} records a batch; these are {count}."
    ),
    "exemption.batch_exists": Refusal(409, "该批上报已存在。", "This batch exists already."),
    "exemption.already_acknowledged": Refusal(409, "该批上报已经确认。", "This batch was already acknowledged."),
}


def said(refused: Refused) -> tuple[str, str]:
    """A refusal in Chinese and English."""
    return {**COMMON, **REFUSALS}[refused.code].said(refused.facts)
