//! What the API offers, written down once: `/openapi.json` and `/docs` are both made from [`OPERATIONS`].

/// One operation of the API.
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) group: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) description: &'static str,
    pub(crate) needs_token: bool,
    pub(crate) parameters: &'static [Parameter],
    /// An example of the request body, as JSON.
    pub(crate) body: Option<&'static str>,
    pub(crate) answers: &'static [Answer],
}

/// A parameter in the path or the query.
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) description: &'static str,
    pub(crate) example: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    Query,
}

pub(crate) enum Kind {
    Text,
    Integer {
        least: u64,
        most: Option<u64>,
        default: u64,
    },
}

/// One answer: its status, when it is given, and an example of its body as JSON ("" for none).
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) when: &'static str,
    pub(crate) body: &'static str,
}

const USER: &str = r#"{"id":"user-000001","email":"user1@example.com","name":"User 1","status":"active","created_at":"2024-01-01T00:00:00Z","last_login":"2025-01-02T01:01:00Z"}"#;
const NEW_USER: &str = r#"{"id":"user-001001","email":"new.user@example.com","name":"New User","status":"active","created_at":"2025-06-01T00:00:00Z","last_login":null}"#;
const USER_PAGE: &str = r#"{"items":[{"id":"user-000001","email":"user1@example.com","name":"User 1","status":"active","created_at":"2024-01-01T00:00:00Z","last_login":"2025-01-02T01:01:00Z"}],"total":1000,"limit":1,"offset":0,"has_more":true}"#;
const LIMIT_PROBLEM: &str = r#"{"detail":[{"type":"less_than_equal","loc":["query","limit"],"msg":"Input should be less than or equal to 10000","input":"10001","ctx":{"le":10000}}]}"#;
const RESOURCE_PROBLEM: &str =
    r#"{"detail":[{"type":"missing","loc":["query","resource_id"],"msg":"Field required","input":null}]}"#;
const ASSOCIATION: &str =
    r#"{"user_id":"user-000001","entitlement_id":"team-1-member","resource_id":"team-1"}"#;
const ASSIGNMENT: &str = r#"{"entitlement_id":"team-1-member","resource_id":"team-1"}"#;

const UNAUTHORIZED: Answer = Answer {
    status: 401,
    when: "No token, or a wrong one.",
    body: r#"{"detail":"Invalid token"}"#,
};
const NO_USER: Answer = Answer {
    status: 404,
    when: "There is no such user.",
    body: r#"{"detail":"User not found"}"#,
};

const UID: Parameter = Parameter {
    name: "uid",
    place: Place::Path,
    kind: Kind::Text,
    required: true,
    description: "Id of the user.",
    example: "user-000001",
};

const fn filter(name: &'static str, description: &'static str, example: &'static str) -> Parameter {
    Parameter {
        name,
        place: Place::Query,
        kind: Kind::Text,
        required: false,
        description,
        example,
    }
}

/// Everything but `/docs` and `/openapi.json` themselves.
pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "get",
        path: "/api/users",
        group: "Users",
        summary: "List users",
        description: "Users in the order of their creation. Ask for the next page with the offset raised by the \
                      number of items received, as long as has_more is true.",
        needs_token: true,
        parameters: &[
            Parameter {
                name: "limit",
                place: Place::Query,
                kind: Kind::Integer {
                    least: 1,
                    most: Some(10_000),
                    default: 100,
                },
                required: false,
                description: "Most users in the answer.",
                example: "2",
            },
            Parameter {
                name: "offset",
                place: Place::Query,
                kind: Kind::Integer {
                    least: 0,
                    most: None,
                    default: 0,
                },
                required: false,
                description: "Users to leave out at the beginning.",
                example: "0",
            },
        ],
        body: None,
        answers: &[
            Answer {
                status: 200,
                when: "A page of users.",
                body: USER_PAGE,
            },
            UNAUTHORIZED,
            Answer {
                status: 422,
                when: "limit or offset is not acceptable.",
                body: LIMIT_PROBLEM,
            },
        ],
    },
    Operation {
        method: "post",
        path: "/api/users",
        group: "Users",
        summary: "Create a user",
        description: "Needs an email that nobody has. name is empty and status active if they are left out.",
        needs_token: true,
        parameters: &[],
        body: Some(r#"{"email":"new.user@example.com","name":"New User","status":"active"}"#),
        answers: &[
            Answer {
                status: 201,
                when: "The new user.",
                body: NEW_USER,
            },
            UNAUTHORIZED,
            Answer {
                status: 409,
                when: "The email is taken.",
                body: r#"{"detail":"User already exists"}"#,
            },
            Answer {
                status: 422,
                when: "There is no email.",
                body: r#"{"detail":"email is required"}"#,
            },
        ],
    },
    Operation {
        method: "get",
        path: "/api/users/{uid}",
        group: "Users",
        summary: "Get a user",
        description: "last_login is null if the user never signed in.",
        needs_token: true,
        parameters: &[UID],
        body: None,
        answers: &[
            Answer {
                status: 200,
                when: "The user.",
                body: USER,
            },
            UNAUTHORIZED,
            NO_USER,
        ],
    },
    Operation {
        method: "put",
        path: "/api/users/{uid}",
        group: "Users",
        summary: "Change a user",
        description: "Changes email, name and status where given; everything else in the body is ignored. A status \
                      is active, inactive or deleted.",
        needs_token: true,
        parameters: &[UID],
        body: Some(r#"{"status":"inactive"}"#),
        answers: &[
            Answer {
                status: 200,
                when: "The user as changed.",
                body: USER,
            },
            UNAUTHORIZED,
            NO_USER,
        ],
    },
    Operation {
        method: "delete",
        path: "/api/users/{uid}",
        group: "Users",
        summary: "Delete a user",
        description: "Removes the user for good, with all its entitlements.",
        needs_token: true,
        parameters: &[UID],
        body: None,
        answers: &[
            Answer {
                status: 204,
                when: "Deleted.",
                body: "",
            },
            UNAUTHORIZED,
            NO_USER,
        ],
    },
    Operation {
        method: "get",
        path: "/api/resources",
        group: "Access",
        summary: "List resources",
        description: "Five projects, three teams, and the app as a whole.",
        needs_token: true,
        parameters: &[],
        body: None,
        answers: &[
            Answer {
                status: 200,
                when: "All resources.",
                body: r#"[{"id":"project-1","type":"project","name":"Project 1"}]"#,
            },
            UNAUTHORIZED,
        ],
    },
    Operation {
        method: "get",
        path: "/api/entitlements",
        group: "Access",
        summary: "List entitlements",
        description: "The roles that can be given: viewer and editor of a project, member of a team, administrator.",
        needs_token: true,
        parameters: &[],
        body: None,
        answers: &[
            Answer {
                status: 200,
                when: "All entitlements.",
                body: r#"[{"id":"project-1-viewer","type":"project_role","resource_id":"project-1","name":"Project 1 Viewer"}]"#,
            },
            UNAUTHORIZED,
        ],
    },
    Operation {
        method: "get",
        path: "/api/associations",
        group: "Access",
        summary: "List who has what",
        description: "Every entitlement of every user, or those that match all the filters given.",
        needs_token: true,
        parameters: &[
            filter("user_id", "Only those of this user.", "user-000001"),
            filter("entitlement_id", "Only this entitlement.", ""),
            filter("resource_id", "Only those on this resource.", ""),
        ],
        body: None,
        answers: &[
            Answer {
                status: 200,
                when: "The associations.",
                body: r#"[{"user_id":"user-000001","entitlement_id":"project-2-editor","resource_id":"project-2"}]"#,
            },
            UNAUTHORIZED,
        ],
    },
    Operation {
        method: "post",
        path: "/api/users/{uid}/entitlements",
        group: "Access",
        summary: "Give a user an entitlement",
        description: "Giving what the user already has succeeds and changes nothing.",
        needs_token: true,
        parameters: &[UID],
        body: Some(ASSIGNMENT),
        answers: &[
            Answer {
                status: 201,
                when: "The association.",
                body: ASSOCIATION,
            },
            UNAUTHORIZED,
            Answer {
                status: 404,
                when: "There is no such user, or no such entitlement on that resource.",
                body: r#"{"detail":"Entitlement not found"}"#,
            },
        ],
    },
    Operation {
        method: "delete",
        path: "/api/users/{uid}/entitlements/{ent}",
        group: "Access",
        summary: "Take an entitlement away",
        description: "The resource has to be named too.",
        needs_token: true,
        parameters: &[
            UID,
            Parameter {
                name: "ent",
                place: Place::Path,
                kind: Kind::Text,
                required: true,
                description: "Id of the entitlement.",
                example: "project-2-editor",
            },
            Parameter {
                name: "resource_id",
                place: Place::Query,
                kind: Kind::Text,
                required: true,
                description: "Id of the resource.",
                example: "project-2",
            },
        ],
        body: None,
        answers: &[
            Answer {
                status: 204,
                when: "Taken away.",
                body: "",
            },
            UNAUTHORIZED,
            Answer {
                status: 404,
                when: "There is no such user, or the user does not have it.",
                body: r#"{"detail":"Association not found"}"#,
            },
            Answer {
                status: 422,
                when: "resource_id is missing.",
                body: RESOURCE_PROBLEM,
            },
        ],
    },
    Operation {
        method: "get",
        path: "/api/health",
        group: "The mock app itself",
        summary: "Health",
        description: "Answers as long as the app runs.",
        needs_token: false,
        parameters: &[],
        body: None,
        answers: &[Answer {
            status: 200,
            when: "It runs.",
            body: r#"{"status":"ok"}"#,
        }],
    },
    Operation {
        method: "post",
        path: "/api/_reset",
        group: "The mock app itself",
        summary: "Reset",
        description: "Puts all data back to how it was at the start.",
        needs_token: false,
        parameters: &[],
        body: None,
        answers: &[Answer {
            status: 200,
            when: "Done.",
            body: r#"{"status":"reset","users":1000}"#,
        }],
    },
];
