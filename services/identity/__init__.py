"""身份核验 identity: who somebody is, how they prove it, and what they may do for which organisation.

Owns accounts of candidates (账号), staff (工作人员) with their roles (角色), and organisations (机构). Streams:
`account-<person>`, `staff-<person>`, `organisation-<code>`. Listens to nobody. It alone creates and destroys the keys
that seal personal data, and issues the tokens that the other services verify by themselves.
"""
