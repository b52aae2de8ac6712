//! Slopes of the tables as formulas: arithmetic and method calls over the operands, and nothing else.

use std::iter::Peekable;
use std::str::Chars;

/// How tightly a formula holds together: what is looser than its place gets parentheses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Sum,
    Product,
    /// A square or a root.
    Power,
    Atom,
}

/// A formula, and the operation on its outside.
#[derive(Clone, PartialEq)]
struct Formula {
    text: String,
    binding: Binding,
}

impl Formula {
    fn new(text: impl Into<String>, binding: Binding) -> Self {
        Formula { text: text.into(), binding }
    }

    /// The text, in parentheses where it holds less tightly than `place`.
    fn within(&self, place: Binding) -> String {
        if self.binding < place { format!("({})", self.text) } else { self.text.clone() }
    }
}

/// What a slope makes of the cotangent `ȳ`; `None` if it is code that only a person can put into words.
pub(crate) fn of_slope(slope: &str) -> Option<String> {
    let inner = |name: &str| slope.strip_prefix(name)?.strip_suffix(')');
    match (slope, inner("By("), inner("Over(")) {
        ("One", ..) => Some("ȳ".into()),
        ("MinusOne", ..) => Some("-ȳ".into()),
        ("Flat", ..) => Some("0".into()),
        (_, Some(factor), _) => parse(factor).map(|factor| match factor.text.strip_prefix('-') {
            Some(rest) if factor.binding == Binding::Product => format!("-ȳ · {rest}"),
            _ => format!("ȳ · {}", factor.within(Binding::Product)),
        }),
        (_, _, Some(divisor)) => {
            parse(divisor).map(|divisor| format!("ȳ / {}", divisor.within(Binding::Power)))
        }
        _ => None,
    }
}

fn parse(code: &str) -> Option<Formula> {
    let mut code = code.chars().peekable();
    let formula = sum(&mut code)?;
    code.next().is_none().then_some(formula)
}

fn next_is(code: &mut Peekable<Chars<'_>>, wanted: char) -> bool {
    while code.next_if_eq(&' ').is_some() {}
    code.next_if_eq(&wanted).is_some()
}

fn sum(code: &mut Peekable<Chars<'_>>) -> Option<Formula> {
    let mut left = product(code)?;
    loop {
        let sign = match (next_is(code, '+'), next_is(code, '-')) {
            (true, _) => '+',
            (_, true) => '-',
            _ => return Some(left),
        };
        let right = product(code)?;
        left = if left == right && sign == '+' {
            Formula::new(format!("2 · {}", right.within(Binding::Power)), Binding::Product)
        } else {
            Formula::new(format!("{} {sign} {}", left.text, right.within(Binding::Product)), Binding::Sum)
        };
    }
}

fn product(code: &mut Peekable<Chars<'_>>) -> Option<Formula> {
    let mut left = signed(code)?;
    loop {
        let sign = match (next_is(code, '*'), next_is(code, '/')) {
            (true, _) => '·',
            (_, true) => '/',
            _ => return Some(left),
        };
        let right = signed(code)?;
        left = if left == right && sign == '·' {
            Formula::new(format!("{}²", left.within(Binding::Atom)), Binding::Power)
        } else {
            let (left, right) = (left.within(Binding::Product), right.within(Binding::Power));
            Formula::new(format!("{left} {sign} {right}"), Binding::Product)
        };
    }
}

fn signed(code: &mut Peekable<Chars<'_>>) -> Option<Formula> {
    if next_is(code, '-') {
        let positive = signed(code)?;
        return Some(Formula::new(format!("-{}", positive.within(Binding::Product)), Binding::Product));
    }
    called(code)
}

/// An operand, a number or what is in parentheses, and the methods called on it.
fn called(code: &mut Peekable<Chars<'_>>) -> Option<Formula> {
    let mut value = if next_is(code, '(') {
        let inner = sum(code)?;
        next_is(code, ')').then_some(inner)?
    } else {
        atom(code)?
    };
    while next_is(code, '.') {
        let method = word(code);
        // Methods that take more than their object are not plain.
        if method.is_empty() || !next_is(code, '(') || !next_is(code, ')') {
            return None;
        }
        value = match method.as_str() {
            "sqrt" => Formula::new(format!("√{}", value.within(Binding::Atom)), Binding::Power),
            "recip" if value.text == "2/√π" => Formula::new("√π/2", Binding::Product),
            "recip" => Formula::new(format!("1 / {}", value.within(Binding::Power)), Binding::Product),
            method => Formula::new(format!("{method}({})", value.text), Binding::Atom),
        };
    }
    Some(value)
}

fn atom(code: &mut Peekable<Chars<'_>>) -> Option<Formula> {
    let mut name = word(code);
    if name.chars().all(|c| c.is_ascii_digit()) && !name.is_empty() {
        // Numbers of the tables are written with a fraction.
        next_is(code, '.').then_some(())?;
        let fraction = word(code);
        let number = if fraction == "0" { name } else { format!("{name}.{fraction}") };
        return Some(Formula::new(number, Binding::Atom));
    }
    while next_is(code, ':') {
        next_is(code, ':').then_some(())?;
        name = word(code);
    }
    match name.as_str() {
        "x" | "y" | "a" | "b" => Some(Formula::new(name, Binding::Atom)),
        "LN_2" => Some(Formula::new("log(2)", Binding::Atom)),
        "LN_10" => Some(Formula::new("log(10)", Binding::Atom)),
        "FRAC_2_SQRT_PI" => Some(Formula::new("2/√π", Binding::Product)),
        _ => None,
    }
}

fn word(code: &mut Peekable<Chars<'_>>) -> String {
    while code.next_if_eq(&' ').is_some() {}
    std::iter::from_fn(|| code.next_if(|c| c.is_ascii_alphanumeric() || *c == '_')).collect()
}

#[test]
fn slopes_read_as_formulas() {
    for (slope, formula) in [
        ("By(x.exp())", "ȳ · exp(x)"),
        ("By(-x.sin())", "-ȳ · sin(x)"),
        ("By(1.0 - y * y)", "ȳ · (1 - y²)"),
        ("By(y * (-x).sigmoid())", "ȳ · y · sigmoid(-x)"),
        ("By(-((a - y) / b).round())", "-ȳ · round((a - y) / b)"),
        ("By((-(x * x)).exp() * -FRAC_2_SQRT_PI)", "ȳ · exp(-x²) · (-2/√π)"),
        ("By((y * y).exp() * FRAC_2_SQRT_PI.recip())", "ȳ · exp(y²) · (√π/2)"),
        ("Over(y + y)", "ȳ / (2 · y)"),
        ("Over(x * std::f64::consts::LN_2)", "ȳ / (x · log(2))"),
        ("Over(-((1.0 - x) * (x + 1.0)).sqrt())", "ȳ / (-√((1 - x) · (x + 1)))"),
        ("Over((x - 1.0).sqrt() * (x + 1.0).sqrt())", "ȳ / (√(x - 1) · √(x + 1))"),
    ] {
        assert_eq!(of_slope(slope).as_deref(), Some(formula), "{slope}");
    }
}

#[test]
fn slopes_that_are_code_are_no_formulas() {
    for slope in [
        "share(a, b)",
        "sign_or(x, Kink::Abs)",
        "By(above(a, b).sigmoid())",
        "By(-by_square_norm(a, a, b))",
        "By(b * a.pow(b - 1.0))",
        "GateBy { open: a.ge(b), slope: a }",
        "Slope::step(x, Kink::Relu, || x.gt(0.0), || x.ge(0.0))",
        "{ let flat = b.eq(0.0); By(flat) }",
        "OverBoth(x, x)",
    ] {
        assert_eq!(of_slope(slope), None, "{slope}");
    }
}
