//! Expenses, as systems for spend management have them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::JsonObject;

/// Parameters of `list_expenses`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListExpenses {
    /// Which expenses are wanted.
    pub filters: ExpenseFilters,
}

/// Narrows a listing of expenses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpenseFilters {
    /// When the money was spent.
    pub transaction_date: Option<TimeRange>,
}

/// A time range, open where an end is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimeRange {
    /// The earliest day or time, in ISO 8601.
    pub start_date: Option<String>,
    /// The latest day or time, in ISO 8601.
    pub end_date: Option<String>,
}

/// Something that an employee bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Expense {
    /// The id in the app, which never changes.
    pub id: String,
    /// The report that it is part of.
    pub report_id: Option<String>,
    /// When the employee paid, in ISO 8601.
    pub transaction_date: String,
    /// When the company paid, in ISO 8601.
    pub payment_date: Option<String>,
    /// What the company owes.
    pub total_amount: Amount,
    /// What the company has paid so far.
    pub paid_amount: Option<Amount>,
    /// Who sold it.
    pub seller: Vendor,
    /// What was bought.
    pub description: String,
    /// Who handed it in.
    pub submitter: SpendUser,
    /// How it was paid.
    #[serde(rename = "type")]
    pub kind: ExpenseType,
    /// Whether it was approved.
    pub approval_status: ExpenseApprovalStatus,
    /// Whether it was paid.
    pub payment_status: ExpensePaymentStatus,
    /// Where people see it in the app.
    pub url: Option<String>,
    /// What else the app knows of it, in every tenant.
    pub attributes: Option<JsonObject>,
    /// What else this tenant knows of it.
    pub custom_attributes: Option<JsonObject>,
}

/// How an expense was paid: by the employee, or with a card of the company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ExpenseType {
    Reimbursement,
    CardTransaction,
}

/// An amount of money.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Amount {
    /// A decimal number as text, so that nothing is lost.
    pub amount: String,
    /// The currency, as an ISO 4217 code.
    pub currency: String,
}

/// A company that sells something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Vendor {
    /// The company's id in the app.
    pub id: Option<String>,
    /// The company's name.
    pub name: Option<String>,
    /// What the company does.
    pub description: Option<String>,
}

/// An employee who spends money.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SpendUser {
    /// The employee's id in the app.
    pub id: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Full name.
    pub full_name: Option<String>,
    /// First name.
    pub given_name: Option<String>,
    /// Last name.
    pub family_name: Option<String>,
}

/// Whether an expense was approved, in the words of the app and in those of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpenseApprovalStatus {
    /// The status' id, in apps where tenants make their own.
    pub id: Option<String>,
    /// The status' name for people.
    pub display_value: Option<String>,
    /// What the app calls it.
    pub value: Option<String>,
    /// What it comes to.
    pub normalized_value: NormalizedExpenseApprovalStatus,
}

/// Whether an expense was approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum NormalizedExpenseApprovalStatus {
    Pending,
    Approved,
    Rejected,
    Canceled,
    Unknown,
}

/// Whether an expense was paid, in the words of the app and in those of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpensePaymentStatus {
    /// The status' id, in apps where tenants make their own.
    pub id: Option<String>,
    /// The status' name for people.
    pub display_value: Option<String>,
    /// What the app calls it.
    pub value: Option<String>,
    /// What it comes to.
    pub normalized_value: NormalizedExpensePaymentStatus,
}

/// Whether an expense was paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum NormalizedExpensePaymentStatus {
    Paid,
    Unpaid,
}
