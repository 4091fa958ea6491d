"""What each refusal of identity means to a caller. Every code raised in this service stands here or in `COMMON`."""

from shared.kernel.errors import COMMON, Refusal, Refused

REFUSALS: dict[str, Refusal] = {
    # registration
    "identity.captcha_wrong": Refusal(
        422,
        "图片验证码不正确或已失效，请换一张重新填写。",
        "The picture was read wrongly or has expired; take a new one.",
    ),
    "identity.captcha_missing": Refusal(422, "请填写图片验证码。", "Type what the picture shows."),
    "identity.sms_code_missing": Refusal(422, "请填写验证码。", "Type the code that was sent."),
    "identity.sms_code_wrong": Refusal(
        422,
        "验证码不正确，还可以填写 {attempts_left} 次。",
        "The code is wrong; it may be typed {attempts_left} more times.",
    ),
    "identity.sms_code_expired": Refusal(
        422, "验证码已失效，请重新获取。", "The code is no longer valid; ask for a new one."
    ),
    "identity.no_registration": Refusal(404, "没有找到该注册申请。", "There is no such registration."),
    "identity.registration_expired": Refusal(
        410, "注册已超过有效时间，请重新开始。", "The registration was not finished in time; start again."
    ),
    "identity.already_registered": Refusal(409, "注册已完成，请登录。", "The registration is complete; sign in."),
    "identity.mobile_already_proved": Refusal(409, "手机号码已验证。", "The mobile number is proved already."),
    "identity.step_missing": Refusal(409, "请先完成前面的步骤。", "An earlier step is not done yet."),
    "identity.mobile_has_account": Refusal(
        409,
        "该手机号码已注册，请直接登录或找回密码。",
        "This mobile number has an account: sign in, or ask for a new password.",
    ),
    "identity.id_number_has_account": Refusal(
        409,
        "该身份证号已注册，请直接登录、找回密码，或到现场办理手机号码变更。",
        "This ID number has an account: sign in, ask for a new password, or have its mobile replaced in person.",
    ),
    "identity.ticket_number_has_account": Refusal(
        409, "该准考证号已被其他账号登记，请核对。", "Another account has this admission ticket number; check it."
    ),
    "identity.staff_login_has_account": Refusal(409, "该登录名已被使用。", "This login is in use."),
    "identity.ticket_number_malformed": Refusal(
        422, "准考证号应为 6 至 20 位数字或字母。", "An admission ticket number has 6 to 20 digits or letters."
    ),
    # passwords
    "identity.password_too_short": Refusal(
        422, "密码至少 {least} 个字符。", "A password has at least {least} characters."
    ),
    "identity.password_too_common": Refusal(
        422, "密码过于常见，请换一个。", "This password is too common; choose another."
    ),
    "identity.password_is_personal": Refusal(
        422,
        "密码不能包含手机号码、身份证号或出生日期。",
        "A password must not hold a mobile number, an ID number or the date of birth.",
    ),
    "identity.password_wrong": Refusal(422, "当前密码不正确。", "The present password is wrong."),
    "identity.reset_refused": Refusal(
        422,
        "验证码或身份证号不正确，或验证码已失效。",
        "The code or the ID number is wrong, or the code is no longer valid.",
    ),
    # signing in
    "identity.login_wrong": Refusal(
        401,
        "账号或密码不正确，或账号因多次输错已暂时锁定。",
        "The number or the password is wrong, or the account is locked for a while after wrong attempts.",
    ),
    "identity.login_locked": Refusal(
        429,
        "输错次数过多，请在 {retry_after} 秒后再试，或找回密码。",
        "Too many wrong attempts; try again in {retry_after} seconds, or ask for a new password.",
    ),
    "identity.sign_in_already_answered": Refusal(
        409, "该登录请求已处理，请重新登录。", "This sign-in was answered already; sign in again."
    ),
    "identity.session_over": Refusal(401, "登录已过期，请重新登录。", "The session is over; sign in again."),
    "identity.service_secret_wrong": Refusal(401, "服务凭证无效。", "The service's secret is wrong."),
    "identity.no_such_audience": Refusal(422, "没有名为 {audience} 的服务。", "There is no service {audience}."),
    # accounts
    "identity.no_account": Refusal(404, "没有找到该账号。", "There is no such account."),
    "identity.mobile_is_yours": Refusal(409, "该手机号码正在使用中。", "This is the account's mobile number already."),
    "identity.no_such_ground": Refusal(422, "没有注销原因“{ground}”。", "There is no ground {ground} for erasure."),
    # staff
    "identity.bootstrap_refused": Refusal(
        403, "初始化口令无效，或未启用。", "The bootstrap secret is wrong or not set."
    ),
    "identity.first_administrator_exists": Refusal(
        409, "首任管理员已经创建。", "The first administrator has been made already."
    ),
    "identity.already_staff": Refusal(409, "该工作人员已存在。", "This member of staff exists."),
    "identity.staff_login_malformed": Refusal(
        422,
        "登录名为 3 至 32 位小写字母、数字或 . _ -，以字母开头。",
        "A login has 3 to 32 small letters, digits or . _ - and begins with a letter.",
    ),
    "identity.activation_refused": Refusal(
        422, "激活码不正确或已失效，请联系管理员。", "The activation code is wrong or no longer valid."
    ),
    "identity.one_time_code_wrong": Refusal(422, "动态口令不正确。", "The one-time code is wrong."),
    "identity.no_such_role": Refusal(422, "没有角色“{role}”。", "There is no role {role}."),
    "identity.role_does_not_fit": Refusal(
        422, "该机构（{level}）不能设“{role}”。", "The role {role} cannot be held at a {level}."
    ),
    "identity.role_already_held": Refusal(409, "已有角色“{role}”。", "The role {role} is held already."),
    "identity.role_not_held": Refusal(409, "没有角色“{role}”可撤销。", "The role {role} is not held."),
    "identity.not_your_own_roles": Refusal(
        403, "不能为自己授权、撤权、重新激活或注销自己。", "Nobody grants, revokes, renews or erases their own access."
    ),
    # organisations
    "identity.no_such_organisation": Refusal(
        404, "没有机构“{organisation}”。", "There is no organisation {organisation}."
    ),
    "identity.organisation_exists": Refusal(
        409, "机构代码“{organisation}”已被使用。", "The organisation {organisation} exists."
    ),
    "identity.organisation_closed": Refusal(
        409, "机构“{organisation}”已撤销。", "The organisation {organisation} is closed."
    ),
    "identity.organisation_has_children": Refusal(
        409, "其下还有 {children} 个机构，不能撤销。", "It has {children} open organisations below it."
    ),
    "identity.organisation_code_malformed": Refusal(
        422,
        "机构代码为 2 至 40 位小写字母、数字或连字符。",
        "An organisation's code has 2 to 40 small letters, digits or hyphens.",
    ),
    "identity.phone_malformed": Refusal(422, "电话号码格式不正确。", "This is not a telephone number."),
    "identity.no_such_level": Refusal(422, "没有机构级别“{level}”。", "There is no level {level}."),
    "identity.level_does_not_fit": Refusal(
        422, "“{level}”不能设在“{parent}”之下。", "A {level} cannot stand under {parent}."
    ),
    # verification by photographs
    "identity.no_verification_there": Refusal(404, "该地区不办理在线身份认证。", "Nobody is verified there."),
    "identity.no_such_route": Refusal(422, "没有这种注册方式。", "There is no such route."),
    "identity.only_in_person": Refusal(
        409, "须携带证件到现场确认，不在线认证。", "People are verified in person there, not by photographs."
    ),
    "identity.ticket_number_missing": Refusal(
        422, "在籍考生须填写准考证号。", "Enrolled candidates give their admission ticket number."
    ),
    "identity.does_not_decide_here": Refusal(
        422, "所选机构不办理此项身份认证，请另选。", "That organisation does not decide this; choose another."
    ),
    "identity.verification_not_started": Refusal(409, "尚未开始身份认证。", "The verification has not been started."),
    "identity.verification_waiting": Refusal(
        409, "认证照片已提交，等待工作人员核对，期间不能更换。", "It is handed in and waits; nothing can be exchanged."
    ),
    "identity.already_verified": Refusal(409, "身份已认证。", "The person has been verified."),
    "identity.not_verified_yet": Refusal(
        409, "身份认证通过后才能设置密码。", "The password is set once the person has been verified."
    ),
    "identity.no_such_photograph": Refusal(422, "没有这张照片。", "There is no such photograph."),
    "identity.photo_refused": Refusal(
        422, "照片不符合要求，共 {count} 项，详见实测值。", "The photograph fails {count} rules; see what was measured."
    ),
    "identity.photographs_missing": Refusal(422, "请先上传：{photographs}。", "Still missing: {photographs}."),
    "identity.nothing_new_to_verify": Refusal(
        409, "上次认证未通过，请先重新上传照片。", "The last try failed; upload a new photograph first."
    ),
    "identity.not_waiting": Refusal(409, "该考生没有待核对的照片。", "Nothing of this person waits for a decision."),
    "identity.submitted_again": Refusal(
        409, "考生已第 {attempt} 次提交，请重新查看照片。", "There is a newer submission, number {attempt}; look again."
    ),
    "identity.no_such_pair": Refusal(
        422, "有 {count} 组照片不在其中，请刷新后再试。", "{count} pairs are not asked; reload."
    ),
    "identity.pairs_unanswered": Refusal(
        422, "请逐组判断是否为同一人，还缺：{pairs}。", "Say of each pair whether it shows one person: {pairs}."
    ),
    "identity.pairs_differ": Refusal(
        409, "有照片不是同一人（{pairs}），不能通过。", "Some pairs do not show one person ({pairs}): it cannot pass."
    ),
    "identity.no_such_reason": Refusal(422, "请从所列原因中选择。", "Choose one of the reasons."),
    "identity.no_such_document": Refusal(
        422, "请注明查验了哪些所列证件。", "Say which of the listed papers were seen."
    ),
    # prior education
    "identity.no_prior_education": Refusal(
        404, "本批次不办理前置学历。", "This cycle takes no records of prior education."
    ),
    "identity.no_such_cycle": Refusal(404, "没有该批次，或尚未公布。", "There is no such cycle, or not yet."),
    "identity.window_closed": Refusal(
        409, "“{window}”已于 {ended} 截止，逾期不予受理。", "“{window}” closed at {ended}; it is too late."
    ),
    "identity.window_not_open_yet": Refusal(
        409, "“{window}”现在不在开放时间内，下次开放时间为 {opens}。", "“{window}” is not open; it opens at {opens}."
    ),
    "identity.commitment_missing": Refusal(
        422, "请阅读申请承诺书并勾选“我已阅读，并同意所有条款”。", "Read the letter and tick that you agree."
    ),
    "identity.commitment_outdated": Refusal(
        409, "申请承诺书已更新（第 {version} 版），请重新阅读。", "The letter is now version {version}; read it again."
    ),
    "identity.education_already_started": Refusal(409, "该记录已存在。", "This record exists already."),
    "identity.education_submitted": Refusal(
        409, "已提交，学信网反馈之前不能修改。", "It was handed in; it can be edited once CHSI has answered."
    ),
    "identity.kept_after_deadline": Refusal(
        409,
        "申请已截止，截止后只能更正截止前提交的那份证书，不能更改：{labels}。",
        "It is too late for another diploma; what may no longer be changed: {labels}.",
    ),
    "identity.education_in_effect": Refusal(409, "前置学历已生效，不能修改。", "It is in effect and no longer edited."),
    "identity.education_cannot_be_taken_back": Refusal(
        409, "只有学信网长时间未反馈时才能撤回。", "It can be taken back only after CHSI has not answered for long."
    ),
    "identity.nothing_to_settle": Refusal(
        409, "该记录没有需要核定的学信网反馈。", "CHSI does not contradict itself about this record."
    ),
    "identity.answered_again": Refusal(
        409,
        "学信网又有新的反馈（共 {count} 次），请重新查看后核定。",
        "CHSI has answered again ({count} answers); look again.",
    ),
    "identity.no_such_answer": Refusal(
        422, "请从学信网的 {count} 次反馈中选择以哪一次为准。", "Choose which of the {count} answers counts."
    ),
    "identity.unknown_field": Refusal(
        422, "有 {count} 个填写项不属于此处，请刷新后再试。", "{count} fields are not asked here; reload."
    ),
    "identity.form_wrong": Refusal(
        422, "有 {count} 处需要修改，详见各项说明。", "{count} things must be put right; see each of them."
    ),
    "identity.no_personal_centre": Refusal(
        404, "该地区没有个人中心。", "That jurisdiction has no personal centre here."
    ),
    "identity.field_missing": Refusal(422, "请填写“{label}”。", "“{label}” is missing."),
    "identity.not_on_the_list": Refusal(422, "请从系统选项中选择。", "Choose one of the options."),
    "identity.not_a_date": Refusal(422, "请填写有效日期，例如 2017-06-30。", "Not a date; an example: 2017-06-30."),
    "identity.date_in_the_future": Refusal(422, "日期不能晚于今天。", "The date lies in the future."),
    "identity.does_not_fit_the_pattern": Refusal(
        422, "格式不正确，例如：{example}。", "The format is wrong; an example: {example}."
    ),
    "identity.too_long_ago": Refusal(
        422, "日期不能早于{earliest}年，请核对。", "It cannot be before {earliest}: please look again."
    ),
    "identity.in_the_future": Refusal(
        422, "日期不能晚于今天（{today}）。", "It cannot be in the future (today is {today})."
    ),
    "identity.not_a_month": Refusal(422, "请填写有效年月，例如 2019-03。", "Not a month; an example: 2019-03."),
    "identity.not_a_number": Refusal(422, "请填写数字，例如 {example}。", "Not a number; an example: {example}."),
    "identity.number_out_of_bounds": Refusal(
        422, "数值应在 {lowest} 至 {highest} 之间。", "It must lie between {lowest} and {highest}."
    ),
    "identity.number_not_passing": Refusal(422, "数值不足 {passing}，不合格。", "Below {passing}, it does not count."),
    "identity.not_so_many_numbers": Refusal(
        422,
        "须恰好填写 {count} 个数，用英文分隔符隔开，例如：{example}。",
        "Write exactly {count} numbers with the separator between them; an example: {example}.",
    ),
    "identity.holder_is_somebody_else": Refusal(
        422,
        "与本人账号的姓名不一致（第 {positions} 个字），请逐字核对；如曾更名，请先办理学籍学历信息更正。",
        "Not the name of your account (characters {positions}); if you were renamed, have the diploma corrected.",
    ),
    # CHSI calling us
    "identity.no_such_check": Refusal(404, "没有该核验请求。", "Nothing was asked under this number."),
    "identity.chsi_signature_wrong": Refusal(403, "签名不正确。", "The signature is wrong."),
    "identity.chsi_call_expired": Refusal(403, "请求时间已过期。", "The signature is of another time."),
    "identity.chsi_answer_unreadable": Refusal(422, "反馈内容无法识别。", "This is no answer that we can read."),
}


def said(refused: Refused) -> tuple[str, str]:
    """A refusal in Chinese and English, to stand beside a field."""
    return {**COMMON, **REFUSALS}[refused.code].said(refused.facts)
