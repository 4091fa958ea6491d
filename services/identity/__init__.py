"""身份核验 identity: who somebody is, how they prove it, and what they may do for which organisation.

Owns accounts of candidates (账号), staff (工作人员) with their roles (角色), organisations (机构), and records of prior
education (前置学历), which CHSI (学信网) checks. Streams: `account-<person>`, `staff-<person>`, `organisation-<code>`,
`verification-<person>` (身份认证), `profile-<person>` (个人信息), `education-<id>`, `cycle-<id>`, `parking-...`.
Listens to exemption (cycles and their windows). It alone creates and destroys the keys that seal personal data, and
issues the tokens that the other services verify by themselves.
"""
