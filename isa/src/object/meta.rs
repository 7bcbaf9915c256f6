//! The metadata section: TOML, keys in alphabetical order.

use super::{KernelMeta, Launch, Object, ObjectError, ParamDir, ParamMeta};
use crate::inst::MmadTy;
use crate::types::Elem;
use toml::{Table, Value};

const FORMAT: i64 = 1;

pub(super) fn write(object: &Object) -> Result<String, ObjectError> {
    let kernel = &object.kernel;
    let mut top = Table::new();
    top.insert("format".to_owned(), Value::Integer(FORMAT));
    put_text(&mut top, "chip", &object.chip);
    put_text(&mut top, "chip_version", &object.chip_version);
    put_text(&mut top, "name", &kernel.name);
    put_text(&mut top, "opt", &kernel.opt);
    put_text(&mut top, "mad_ty", kernel.mad_ty.map_or("", MmadTy::name));
    put_number(&mut top, "cube_cores", u64::from(kernel.cube_cores))?;
    put_number(&mut top, "vector_cores", u64::from(kernel.vector_cores))?;
    put_number(&mut top, "mads", kernel.mads)?;
    put_number(&mut top, "vector_ops", kernel.vector_ops)?;
    put_number(&mut top, "compulsory_bytes", kernel.compulsory_bytes)?;
    top.insert("params".to_owned(), list(&kernel.params, write_param)?);
    top.insert("sizes".to_owned(), list(&kernel.sizes, write_size)?);
    if !kernel.launch.is_empty() {
        top.insert("launch".to_owned(), write_launch(&kernel.launch));
    }
    let files = object.files.iter().map(|file| Value::String(file.clone()));
    top.insert("files".to_owned(), Value::Array(files.collect()));
    Ok(top.to_string())
}

fn list<T>(items: &[T], write: fn(&T) -> Result<Value, ObjectError>) -> Result<Value, ObjectError> {
    items
        .iter()
        .map(write)
        .collect::<Result<_, _>>()
        .map(Value::Array)
}

fn write_param(param: &ParamMeta) -> Result<Value, ObjectError> {
    let mut table = Table::new();
    put_text(&mut table, "name", &param.name);
    put_text(&mut table, "elem", param.elem.name());
    put_text(&mut table, "dir", param.dir.name());
    let shape: Result<_, _> = param.shape.iter().map(|&extent| number(extent)).collect();
    table.insert("shape".to_owned(), Value::Array(shape?));
    Ok(Value::Table(table))
}

fn write_size((name, value): &(String, u64)) -> Result<Value, ObjectError> {
    let mut table = Table::new();
    put_text(&mut table, "name", name);
    put_number(&mut table, "value", *value)?;
    Ok(Value::Table(table))
}

fn write_launch(launch: &Launch) -> Value {
    let texts = |all: &[String]| Value::Array(all.iter().cloned().map(Value::String).collect());
    let shapes = launch.shapes.iter().map(|shape| texts(shape)).collect();
    let mut table = Table::new();
    table.insert("sizes".to_owned(), texts(&launch.sizes));
    table.insert("shapes".to_owned(), Value::Array(shapes));
    table.insert("conditions".to_owned(), texts(&launch.conditions));
    table.insert("work".to_owned(), texts(&launch.work));
    Value::Table(table)
}

fn read_launch(top: &Table, params: usize) -> Result<Launch, ObjectError> {
    let Some(value) = top.get("launch") else {
        return Ok(Launch::default());
    };
    let table = value.as_table().ok_or_else(|| wrong("launch"))?;
    let text = |value: &Value| {
        let text = value.as_str().map(str::to_owned);
        text.ok_or_else(|| wrong("launch"))
    };
    let texts = |values: &Vec<Value>| values.iter().map(text).collect::<Result<Vec<_>, _>>();
    let shape = |value: &Value| texts(value.as_array().ok_or_else(|| wrong("shapes"))?);
    let launch = Launch {
        sizes: texts(get_list(table, "sizes")?)?,
        shapes: get_list(table, "shapes")?
            .iter()
            .map(shape)
            .collect::<Result<_, _>>()?,
        conditions: texts(get_list(table, "conditions")?)?,
        work: texts(get_list(table, "work")?)?
            .try_into()
            .map_err(|_| wrong("work"))?,
    };
    if launch.shapes.len() != params || launch.flaw().is_some() {
        return Err(wrong("launch"));
    }
    Ok(launch)
}

fn put_text(table: &mut Table, key: &str, text: &str) {
    table.insert(key.to_owned(), Value::String(text.to_owned()));
}

fn put_number(table: &mut Table, key: &str, value: u64) -> Result<(), ObjectError> {
    table.insert(key.to_owned(), number(value)?);
    Ok(())
}

fn number(value: u64) -> Result<Value, ObjectError> {
    let number = i64::try_from(value)
        .map_err(|_| ObjectError::Meta(format!("{value} is beyond 63 bits")))?;
    Ok(Value::Integer(number))
}

/// Reads the metadata into an object without programs.
pub(super) fn read(text: &str) -> Result<Object, ObjectError> {
    let top = text
        .parse::<Table>()
        .map_err(|e| ObjectError::Meta(e.message().to_owned()))?;
    if get_number(&top, "format")? != FORMAT as u64 {
        return Err(wrong("format"));
    }
    Ok(Object {
        chip: get_text(&top, "chip")?,
        chip_version: get_text(&top, "chip_version")?,
        kernel: read_kernel(&top)?,
        aic: Vec::new(),
        aiv: Vec::new(),
        files: get_list(&top, "files")?
            .iter()
            .map(read_file)
            .collect::<Result<_, _>>()?,
        lines_aic: Vec::new(),
        lines_aiv: Vec::new(),
        claims: super::Claims::default(),
        certificate: String::new(),
    })
}

fn read_kernel(top: &Table) -> Result<KernelMeta, ObjectError> {
    let params: Vec<ParamMeta> = get_list(top, "params")?
        .iter()
        .map(read_param)
        .collect::<Result<_, _>>()?;
    Ok(KernelMeta {
        name: get_text(top, "name")?,
        launch: read_launch(top, params.len())?,
        params,
        sizes: get_list(top, "sizes")?
            .iter()
            .map(read_size)
            .collect::<Result<_, _>>()?,
        cube_cores: get_count(top, "cube_cores")?,
        vector_cores: get_count(top, "vector_cores")?,
        mads: get_number(top, "mads")?,
        mad_ty: read_mad_ty(&get_text(top, "mad_ty")?)?,
        vector_ops: get_number(top, "vector_ops")?,
        compulsory_bytes: get_number(top, "compulsory_bytes")?,
        opt: get_text(top, "opt")?,
    })
}

fn read_mad_ty(name: &str) -> Result<Option<MmadTy>, ObjectError> {
    let found = MmadTy::ALL.iter().copied().find(|ty| ty.name() == name);
    if found.is_none() && !name.is_empty() {
        return Err(wrong("mad_ty"));
    }
    Ok(found)
}

fn read_file(value: &Value) -> Result<String, ObjectError> {
    value
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| wrong("files"))
}

fn read_param(value: &Value) -> Result<ParamMeta, ObjectError> {
    let table = value.as_table().ok_or_else(|| wrong("params"))?;
    let extent = |value: &Value| {
        value
            .as_integer()
            .and_then(|n| u64::try_from(n).ok())
            .ok_or_else(|| wrong("shape"))
    };
    Ok(ParamMeta {
        name: get_text(table, "name")?,
        elem: Elem::from_name(&get_text(table, "elem")?).ok_or_else(|| wrong("elem"))?,
        shape: get_list(table, "shape")?
            .iter()
            .map(extent)
            .collect::<Result<_, _>>()?,
        dir: ParamDir::from_name(&get_text(table, "dir")?).ok_or_else(|| wrong("dir"))?,
    })
}

fn read_size(value: &Value) -> Result<(String, u64), ObjectError> {
    let table = value.as_table().ok_or_else(|| wrong("sizes"))?;
    Ok((get_text(table, "name")?, get_number(table, "value")?))
}

fn get_text(table: &Table, key: &str) -> Result<String, ObjectError> {
    table
        .get(key)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| wrong(key))
}

fn get_number(table: &Table, key: &str) -> Result<u64, ObjectError> {
    let value = table.get(key).and_then(Value::as_integer);
    value
        .and_then(|n| u64::try_from(n).ok())
        .ok_or_else(|| wrong(key))
}

fn get_count(table: &Table, key: &str) -> Result<u32, ObjectError> {
    u32::try_from(get_number(table, key)?).map_err(|_| wrong(key))
}

fn get_list<'a>(table: &'a Table, key: &str) -> Result<&'a Vec<Value>, ObjectError> {
    table
        .get(key)
        .and_then(Value::as_array)
        .ok_or_else(|| wrong(key))
}

fn wrong(key: &str) -> ObjectError {
    ObjectError::Meta(format!("`{key}` is missing or wrong"))
}
