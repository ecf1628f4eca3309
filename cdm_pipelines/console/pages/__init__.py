"""The pages: rendered on the server, readable without JavaScript, in Dutch and English.

Belongs here: paths of pages and what each shows. Does not belong here: reading as a role (console.reads), the API.
"""
